#include "host/graph/edit_graph.hpp"

#include <algorithm>

namespace adze::host {

void replace_uses(Graph& graph, std::uint32_t from, std::uint32_t to) {
  for (Node& node : graph.nodes) std::replace(node.inputs.begin(), node.inputs.end(), from, to);
  std::replace(graph.outputs.begin(), graph.outputs.end(), from, to);
}

bool is_output(const Graph& graph, std::uint32_t value) {
  return std::find(graph.outputs.begin(), graph.outputs.end(), value) != graph.outputs.end();
}

void remove_nodes(Graph& graph, std::vector<bool> leaves) {
  std::vector<bool> used(graph.values.size());
  for (const std::uint32_t output : graph.outputs) used[output] = true;
  for (std::size_t n = graph.nodes.size(); n-- > 0;) {
    const Node& node = graph.nodes[n];
    leaves[n] = leaves[n] || std::none_of(node.outputs.begin(), node.outputs.end(),
                                          [&](auto v) { return v != kNone && used[v]; });
    if (leaves[n]) continue;
    for (const std::uint32_t input : node.inputs)
      if (input != kNone) used[input] = true;
  }
  std::vector<Node> kept;
  for (std::size_t n = 0; n < graph.nodes.size(); ++n)
    if (!leaves[n]) kept.push_back(std::move(graph.nodes[n]));
  graph.nodes = std::move(kept);
}

FreshNames::FreshNames(const Graph& graph) {
  for (const Value& value : graph.values) values_.insert(value.name);
  for (const Node& node : graph.nodes) nodes_.insert(node.name);
}

std::string FreshNames::fresh(std::unordered_set<std::string>& taken, const std::string& wanted) {
  std::string name = wanted;
  for (int number = 1; !taken.insert(name).second; ++number)
    name = wanted + "_" + std::to_string(number);
  return name;
}

}  // namespace adze::host
