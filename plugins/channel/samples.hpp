// What the calibration samples say: which part fits, which part judges.
#pragma once

#include <adze/ext/calibration.h>

#include <adze/adze.hpp>
#include <cstdint>
#include <vector>

#include "plugins/channel/fit.hpp"
#include "plugins/channel/model.hpp"

namespace channel {

/// A run of samples.
struct Range {
  std::uint64_t first = 0, count = 0;
};

/// Statistics of one collect(), given back when the object goes.
class Collected {
 public:
  Collected(adze_call* call, const std::vector<adze_stat_request>& requests);
  ~Collected();
  Collected(const Collected&) = delete;
  Collected& operator=(const Collected&) = delete;
  const adze_stat& operator[](std::size_t i) const { return *stats_[i]; }

 private:
  adze_call* call_;
  std::vector<const adze_stat*> stats_;
};

adze_stat_request request(std::uint32_t kind, std::uint32_t node, std::uint32_t value,
                          const Range& range, std::uint32_t state, std::uint32_t value_state = 0);

/// A quarter of the samples judges what the others fit; a single one does both.
struct Split {
  explicit Split(std::uint64_t samples);
  Range fitting, judging;
  double fitting_share() const {
    return double(fitting.count) / double(fitting.count + judging.count);
  }
};

/// How far the model's answers went from those it gave before: the divergence of what they say
/// about classes, or their squared error in relation to their own size.
class Judge {
 public:
  /// Judges by the first of `range`, so that the answers take little memory.
  Judge(adze_call* call, const Range& range);
  /// Of the edits made so far. Infinity when an answer is not finite.
  double loss() const;
  std::uint64_t samples() const { return range_.count; }

 private:
  std::vector<std::vector<float>> answers(std::uint32_t state) const;

  adze_call* call_;
  Range range_;
  std::vector<std::uint32_t> outputs_;
  std::vector<std::vector<float>> wanted_;
};

}  // namespace channel
