#include "plugins/pruning/residual.hpp"

#include <algorithm>
#include <string_view>

namespace pruning {
namespace {

bool has_shape_of(const adze_value& a, const adze_value& b) {
  return a.rank >= 0 && a.rank == b.rank && std::equal(a.shape, a.shape + a.rank, b.shape);
}

}  // namespace

std::optional<Residual> residual_of(const adze_graph& graph, std::uint32_t node) {
  const std::uint32_t answer = graph.nodes[node]->outputs[0];
  const adze_value& value = *graph.values[answer];
  if (value.consumer_count != 1 || (value.flags & ADZE_VALUE_OUTPUT)) return std::nullopt;
  const adze_node& add = *graph.nodes[value.consumers[0]];
  if (std::string_view(add.op) != "Add" || *add.domain || add.input_count != 2) return std::nullopt;
  const std::uint32_t rest = add.inputs[add.inputs[0] == answer ? 1 : 0];
  const adze_value& other = *graph.values[rest];
  if (rest == answer || other.constant || !has_shape_of(value, other) ||
      !has_shape_of(value, *graph.values[add.outputs[0]]))
    return std::nullopt;
  // Nodes are in topological order: what the rest is made of comes before.
  if (other.producer != ADZE_NONE && other.producer > node) return std::nullopt;
  return Residual{add.outputs[0], rest};
}

}  // namespace pruning
