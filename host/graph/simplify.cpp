#include "host/graph/simplify.hpp"

namespace adze::host {

void simplify(Graph& graph) {
  own_constants(graph);
  // Every pass only removes nodes or constant operands, so the number of nodes tells.
  for (std::size_t before = graph.nodes.size() + 1; before != graph.nodes.size();) {
    before = graph.nodes.size();
    fold_constants(graph);
    remove_identities(graph);
    fold_batch_norms(graph);
  }
}

}  // namespace adze::host
