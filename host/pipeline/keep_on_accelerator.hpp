// Rewrites that keep nodes on the accelerator, and what they gain.
#pragma once

#include <string>
#include <vector>

#include "host/abi/backend.hpp"
#include "host/graph/rewrite.hpp"

namespace adze::host {

/// A node that the board type sends to the CPU.
struct LeavingNode {
  std::string node, op, reason;
  std::optional<Rewrite> rewrite;  ///< nullopt: no exact one is known
  bool helps = false;              ///< the rewritten model is predicted to be faster for it
};

struct KeptOnAccelerator {
  Graph graph;                         ///< with the rewrites that help
  std::vector<LeavingNode> leaving;    ///< of the graph as given, in its order
  std::size_t rewritten = 0;           ///< nodes, also those that a rewrite made
  std::size_t cpu_nodes = 0;           ///< left on the CPU
  double before_ms = 0, after_ms = 0;  ///< predicted
};

/// Tries every kind of rewrite on the nodes that `backend` places on the CPU of the target, and
/// keeps those kinds that make the predicted latency smaller. With Weights::sketched `graph` is
/// good for looking at shapes only.
KeptOnAccelerator keep_on_accelerator(const Component& backend, const Graph& graph,
                                      const CallOptions& options, Weights weights);

}  // namespace adze::host
