// Predicted latency of a model, node by node.
#pragma once

#include <vector>

#include "host/abi/backend.hpp"
#include "host/pipeline/optimize.hpp"

namespace adze::host {

struct Prediction {
  std::vector<double> node_ms;  ///< by node
  double total_ms = 0;
  double prunable_share = 0;  ///< of the total: what would go if every weight were zero
};

Prediction predict(const Component& backend, const Graph& graph, const CallOptions& options);

/// Every node of `after`, which has the nodes of `before`.
std::vector<LayerChange> compare_layers(const Component& backend, const Graph& after,
                                        const Prediction& predicted_before,
                                        const Prediction& predicted_after,
                                        const CallOptions& options);

}  // namespace adze::host
