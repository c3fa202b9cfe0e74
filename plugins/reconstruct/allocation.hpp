// The cheapest way to reach a budget: one level for each layer, the sum of errors as small as can
// be.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace reconstruct {

/// One way to prune one layer.
struct Choice {
  double error = 0;  ///< >= 0; what is summed up and made small
  double cost = 0;   ///< >= 0; in the unit of the budget
};

struct Allocation {
  std::vector<std::size_t> chosen;  ///< by layer: which of its choices
  double error = 0, cost = 0;       ///< sums
};

inline constexpr std::size_t kMostStates = 8192;

/// The choice for each layer with the least sum of errors whose sum of costs is at most `budget`;
/// of equals the cheaper one, then the one that comes first. nullopt: even the cheapest choices
/// cost more. Dynamic programming over the layers that carries along every pair of sums that no
/// other pair beats in both. That is exact. When there are more than `most_states` of them, what is
/// left of the budget is cut into that many cells and each keeps its smallest error, with its true
/// cost: the result is then at least as good as the exact one for a budget that is smaller by a
/// cell a layer, and never over the budget. Errors: adze::Error INVALID_ARGUMENT for a layer
/// without choices and for figures that are no numbers.
std::optional<Allocation> allocate(std::span<const std::vector<Choice>> layers, double budget,
                                   std::size_t most_states = kMostStates);

/// Sums over the layers of the smallest and of the largest cost.
struct CostRange {
  double low = 0, high = 0;
};
CostRange cost_range(std::span<const std::vector<Choice>> layers);

}  // namespace reconstruct
