// Rules that share out sparsity by the layers' sizes or weights alone, and how a budget in any unit
// is met with one of them.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace reconstruct {

/// No rule prunes a layer beyond this: a layer without weights answers the same to everything.
inline constexpr double kHighestSparsity = 0.99;

/// What a rule looks at of one layer.
struct LayerSize {
  std::int64_t rows = 0;       ///< outputs
  std::int64_t channels = 0;   ///< inputs of one output, without kernel positions
  std::int64_t positions = 1;  ///< of the kernel
  double sizes = 0;            ///< outputs, channels and each side of the kernel, added up

  std::int64_t count() const { return rows * channels * positions; }
};

/// Sparsity of each layer for an overall one (of all their weights together).
using Rule = std::function<std::vector<double>(double sparsity)>;

/// The same for every layer.
Rule uniform_rule(std::size_t layers);

/// Erdos-Renyi with kernels (RigL): what is kept of a layer goes with the sum of its sizes over
/// their product, so that small layers stay denser. A layer that would keep more than all stays
/// dense and the others share the rest.
Rule erk_rule(std::vector<LayerSize> layers);

/// Of the weights of all layers together the smallest by magnitude leave. `weights` are read now.
Rule global_magnitude_rule(std::span<const std::span<const float>> weights);

/// Cost of the whole model with these sparsities.
using CostOf = std::function<double(std::span<const double> sparsities)>;

/// What `rule` gives at the smallest overall sparsity, in steps of a thousandth, whose cost is at
/// most `budget`. `unit` is for the message: "ms". Errors: adze::Error INVALID_ARGUMENT naming what
/// can be reached.
std::vector<double> meet_budget(const Rule& rule, const CostOf& cost_of, double budget,
                                const std::string& unit);

/// "a budget of 0.1 ms cannot be met: ..." as adze::Error INVALID_ARGUMENT.
[[noreturn]] void fail_unreachable(double budget, double low, double high, const std::string& unit);

}  // namespace reconstruct
