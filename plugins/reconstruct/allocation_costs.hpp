// What the layers cost at each sparsity, in the unit of the budget.
#pragma once

#include <adze/adze.hpp>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace reconstruct {

enum class BudgetUnit { weights, bytes, latency_ms };

/// One layer that may be pruned.
struct CostedLayer {
  std::uint32_t node = 0, weight = 0;  ///< indices of node and value in the graph
};

/// Costs in steps of a thousandth of sparsity. All of the model counts: layers that stay dense,
/// biases, and for latency every other node.
class Costs {
 public:
  static constexpr std::size_t kSteps = 1000;

  /// Weights left. Only those of `layers` count: a stage's sparsity is that of its target layers.
  static Costs of_weights(const adze_graph& graph, std::span<const CostedLayer> layers);
  /// Bytes of weights and biases as the board type stores them: 8-bit weights, 32-bit biases, and
  /// pruned weights with their positions where it supports that and where it is smaller.
  /// Errors: adze::Error FAILED_PRECONDITION without a target, or one that says nothing of it.
  static Costs of_bytes(const adze_graph& graph, const adze_target* target,
                        std::span<const CostedLayer> layers);
  /// Milliseconds by adze.latency/1. Errors: adze::Error UNIMPLEMENTED where the host does not
  /// offer it; those of the service.
  static Costs of_latency(adze_call* call, std::span<const CostedLayer> layers);

  /// What earlier stages have pruned of a layer stays pruned: below that, sparsity costs no more.
  double layer(std::size_t layer, double sparsity) const;
  double total(std::span<const double> sparsities) const;
  double fixed() const { return fixed_; }
  const std::string& unit() const { return unit_; }  ///< "weights", "bytes", "ms (predicted)"
  std::size_t layer_count() const { return by_layer_.size(); }

 private:
  std::vector<std::vector<double>> by_layer_;  ///< kSteps + 1 each
  std::vector<double> earlier_;                ///< sparsity of each layer by earlier stages
  double fixed_ = 0;                           ///< of what no layer of these changes
  std::string unit_;
};

}  // namespace reconstruct
