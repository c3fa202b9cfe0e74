// How many channels of each group leave.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "plugins/channel/cost.hpp"

namespace channel {

/// What a group may lose: ascending counts, the first is 0, and what each does to the answers.
struct Choices {
  std::vector<std::uint32_t> leaving;
  std::vector<double> error;
};

/// Every group at its smallest.
Counts largest(const std::vector<Choices>& groups);

/// The counts with the smallest sum of errors, as far as steps and exchanges between two groups
/// find it, that cost at most `budget`; it can be reached.
Counts allocate(const std::vector<Choices>& groups, const Cost& cost, double budget);

/// As many of each hundred in each group, to the next count above, at most `budget`.
Counts allocate_uniformly(const std::vector<Choices>& groups, const Cost& cost, double budget);

/// Goes from `counts` to better ones by exchanges between two groups, the most promising by
/// `groups` first, asking `loss` for the truth at most `trials` times. `best` is the loss of
/// `counts`.
Counts improve(const std::vector<Choices>& groups, const Cost& cost, double budget, Counts counts,
               double best, int trials, const std::function<double(const Counts&)>& loss);

}  // namespace channel
