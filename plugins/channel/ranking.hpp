// In which order channels leave each group, and what that does to their readers.
#pragma once

#include <adze/adze.hpp>
#include <cstdint>
#include <functional>
#include <vector>

#include "plugins/channel/allocation.hpp"
#include "plugins/channel/model.hpp"
#include "plugins/channel/pruner.hpp"
#include "plugins/channel/selection.hpp"

namespace channel {

/// By group.
struct Ranking {
  std::vector<std::vector<std::uint32_t>> levels;  ///< how many may leave, but for none
  std::vector<Removal> removals;
  bool keeps_trials = false;  ///< removals have the readers' refitted weights, to try allocations
};

/// `choices`: what may leave; thinned out where that is too much to look at, with the readers'
/// errors filled in. `progress`: the share done, and of what. Errors: adze::Error naming the group.
Ranking rank_channels(adze_call* call, const Options& options, const Model& model,
                      std::vector<Choices>& choices,
                      const std::function<void(double, const char*)>& progress);

/// `most` of them, evenly; the last is always there.
std::vector<std::uint32_t> thinned(const std::vector<std::uint32_t>& all, std::size_t most);

}  // namespace channel
