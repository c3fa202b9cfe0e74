// What pruning can gain on a board type, before anything is pruned.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "host/abi/backend.hpp"
#include "host/graph/graph.hpp"

namespace adze::host {

/// A sparsity in every target layer (those that are sparser already stay so).
struct GainStep {
  double sparsity = 0;
  double latency_ms = 0;
  double all_sparsity = 0;  ///< zeros among the weights of all Conv, Gemm and MatMul
};

/// Predicted by the board type's model, fitted to published times; not verified on hardware.
struct PruningGain {
  std::vector<double> node_ms;       ///< by node, as it is
  std::vector<double> touchable_ms;  ///< by node: what would go if all of its weights were zero
  double latency_ms = 0;             ///< of the model as it is
  double touchable_share = 0;        ///< of latency_ms: of all layers with weights
  double target_share = 0;           ///< of latency_ms: of the target layers alone
  std::vector<GainStep> steps;
};

/// `targets`: nodes. Errors: as estimate().
PruningGain predict_gain(const Component& backend, const Graph& graph,
                         std::span<const std::uint32_t> targets, const CallOptions& options,
                         std::span<const double> sparsities);

/// Below it the vendor sees little gain.
inline constexpr double kWorthwhileSparsity = 0.7;
/// Where a warning shows what more would bring.
inline constexpr double kTellingSparsities[] = {0.7, 0.8, 0.9};

/// The numbers behind a warning: latency now, and at each step, with the gain.
std::string gain_text(const PruningGain& gain, const std::string& board_type);

}  // namespace adze::host
