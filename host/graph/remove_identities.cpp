#include <algorithm>

#include "host/graph/edit_graph.hpp"
#include "host/graph/simplify.hpp"

namespace adze::host {
namespace {

bool passes_through(const Graph& graph, const Node& node) {
  if (!node.domain.empty() || node.inputs.empty() || node.inputs[0] == kNone ||
      node.outputs.empty() || node.outputs[0] == kNone)
    return false;
  if (node.op == "Identity") return true;
  if (node.op != "Dropout") return false;
  if (node.outputs.size() > 1 && node.outputs[1] != kNone) {
    const std::uint32_t mask = node.outputs[1];
    if (!graph.value(mask).consumers.empty() || is_output(graph, mask)) return false;
  }
  if (node.inputs.size() < 3 || node.inputs[2] == kNone) return true;
  const auto& training = graph.value(node.inputs[2]).constant;
  return training && training->dtype() == DType::boolean && training->count() == 1 &&
         training->as<std::uint8_t>()[0] == 0;
}

// Makes one value of the two, when they can be one; true when the node may leave.
bool merge(Graph& graph, std::uint32_t from, std::uint32_t to, const std::vector<bool>& is_input) {
  Value &source = graph.values[from], &result = graph.values[to];
  const bool source_is_private = source.consumers.size() == 1 && !is_output(graph, from) &&
                                 !source.constant && !is_input[from];
  if (result.quant && result.quant != source.quant && (source.quant || !source_is_private))
    return false;
  if (!is_output(graph, to)) {
    if (result.quant) source.quant = result.quant;
    replace_uses(graph, to, from);
    return true;
  }
  // The output's name must survive, so the producer of `from` makes `to` instead.
  if (source.constant || is_input[from] || is_output(graph, from)) return false;
  if (source.quant) result.quant = source.quant;
  for (Node& node : graph.nodes) std::replace(node.outputs.begin(), node.outputs.end(), from, to);
  replace_uses(graph, from, to);
  return true;
}

}  // namespace

void remove_identities(Graph& graph) {
  for (bool changed = true; changed;) {
    changed = false;
    graph.relink();
    std::vector<bool> is_input(graph.values.size()), leaves(graph.nodes.size());
    for (const std::uint32_t input : graph.inputs) is_input[input] = true;
    // A merge makes the consumer lists of its two values stale: touch each value once per round.
    std::vector<bool> touched(graph.values.size());
    for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
      if (!passes_through(graph, graph.nodes[n])) continue;
      const std::uint32_t from = graph.nodes[n].inputs[0], to = graph.nodes[n].outputs[0];
      if (touched[from] || touched[to]) {
        changed = true;
        continue;
      }
      Node passing = graph.nodes[n];
      graph.nodes[n].outputs.clear();
      graph.nodes[n].inputs.clear();
      if (!merge(graph, from, to, is_input)) {
        graph.nodes[n] = std::move(passing);
        continue;
      }
      leaves[n] = true;
      touched[from] = touched[to] = true;
    }
    if (std::find(leaves.begin(), leaves.end(), true) == leaves.end()) break;
    changed = true;
    remove_nodes(graph, leaves);
  }
  graph.relink();
}

}  // namespace adze::host
