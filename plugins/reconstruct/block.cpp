#include "plugins/reconstruct/block.hpp"

#include <algorithm>
#include <string_view>

#include "plugins/pruning/residual.hpp"

namespace reconstruct {
namespace {

/// Every value that the layer's outputs change.
void spread(const adze_graph& graph, std::uint32_t node, std::vector<bool>& changed) {
  const auto mark = [&](const adze_node& from) {
    for (std::uint32_t i = 0; i < from.output_count; ++i)
      if (from.outputs[i] != ADZE_NONE) changed[from.outputs[i]] = true;
  };
  mark(*graph.nodes[node]);
  for (std::uint32_t n = node + 1; n < graph.node_count; ++n) {
    const adze_node& next = *graph.nodes[n];
    if (std::any_of(next.inputs, next.inputs + next.input_count,
                    [&](std::uint32_t value) { return value != ADZE_NONE && changed[value]; }))
      mark(next);
  }
}

}  // namespace

BlockOutput block_output_of(const adze_graph& graph, std::uint32_t node) {
  if (const auto residual = pruning::residual_of(graph, node))
    return {residual->sum, residual->rest};
  return {graph.nodes[node]->outputs[0], ADZE_NONE};
}

std::uint32_t activation_of(const adze_graph& graph, std::uint32_t value) {
  constexpr std::string_view kRising[] = {"Relu", "Clip", "LeakyRelu", "Sigmoid", "Tanh"};
  const adze_value& before = *graph.values[value];
  if (before.consumer_count != 1 || (before.flags & ADZE_VALUE_OUTPUT)) return ADZE_NONE;
  const adze_node& node = *graph.nodes[before.consumers[0]];
  const bool is_known =
      !*node.domain && node.inputs[0] == value &&
      std::find(std::begin(kRising), std::end(kRising), node.op) != std::end(kRising);
  return is_known ? node.outputs[0] : ADZE_NONE;
}

std::vector<std::vector<std::size_t>> passes_of(const adze_graph& graph,
                                                std::span<const pruning::Layer> layers,
                                                std::size_t most) {
  std::vector<std::vector<std::size_t>> passes;
  std::vector<bool> changed;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const std::uint32_t input = graph.nodes[layers[i].node]->inputs[0];
    const std::uint32_t skip = block_output_of(graph, layers[i].node).skip;
    if (passes.empty() || changed[input] || (skip != ADZE_NONE && changed[skip])) {
      passes.emplace_back();
      changed.assign(graph.value_count, false);
    }
    passes.back().push_back(i);
    spread(graph, layers[i].node, changed);
  }
  if (passes.size() <= most) return passes;
  std::vector<std::vector<std::size_t>> joined(most);
  for (std::size_t i = 0; i < passes.size(); ++i) {
    auto& pass = joined[i * most / passes.size()];
    pass.insert(pass.end(), passes[i].begin(), passes[i].end());
  }
  return joined;
}

double positions_of(const adze_graph& graph, const pruning::Layer& layer) {
  const adze_value& output = *graph.values[graph.nodes[layer.node]->outputs[0]];
  double elements = 1;
  for (std::int32_t axis = 0; axis < output.rank; ++axis)
    elements *= static_cast<double>(std::max<std::int64_t>(output.shape[axis], 1));
  return std::max(elements / static_cast<double>(layer.rows), 1.0);
}

double operations_of(const adze_graph& graph, const pruning::Layer& layer) {
  return 2 * positions_of(graph, layer) * static_cast<double>(layer.count());
}

}  // namespace reconstruct
