// Prunes channels of a model: what leaves from where, what takes over, the edits.
#pragma once

#include <adze/adze.hpp>
#include <cstdint>
#include <string_view>

namespace channel {

inline constexpr double kNotSaid = -1;
inline constexpr double kDefaultMacs = 0.5;

enum class Score { reconstruction, norm };
enum class Allocation { search, error, uniform };

struct Options {
  double macs = kNotSaid;      ///< share of the multiply-accumulates to remove
  double channels = kNotSaid;  ///< share of the channels to remove, in place of that
  std::int64_t multiple = 0;   ///< of the channels that are left; 0: the target's
  Score score = Score::reconstruction;
  Allocation allocation = Allocation::search;
  std::int64_t trials = 0;
  bool refit = true, sequential = true;
  double damping = 1e-3;
};

/// Errors: adze::Error, adze::HostError; the edits are then the host's to drop.
void prune_channels(adze_call* call, const Options& options);

}  // namespace channel
