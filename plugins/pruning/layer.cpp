#include "plugins/pruning/layer.hpp"

#include <string>
#include <string_view>

namespace pruning {
namespace {

const adze_property* attribute(const adze_node& node, std::string_view name) {
  for (std::uint64_t i = 0; i < node.attribute_count; ++i)
    if (node.attributes[i]->name == name) return node.attributes[i];
  return nullptr;
}

std::int64_t integer(const adze_node& node, std::string_view name, std::int64_t fallback) {
  const adze_property* found = attribute(node, name);
  return found && found->i64 ? found->i64[0] : fallback;
}

double number(const adze_node& node, std::string_view name, double fallback) {
  const adze_property* found = attribute(node, name);
  return found && found->f64 ? found->f64[0] : fallback;
}

}  // namespace

std::optional<Layer> layer_of(const adze_graph& graph, std::uint32_t node_index) {
  const adze_node& node = *graph.nodes[node_index];
  const std::uint32_t weight = adze::weight_of(graph, node);
  if (weight == ADZE_NONE) return std::nullopt;
  const adze_tensor& tensor = *graph.values[weight]->constant;
  if (tensor.ndim < 2) return std::nullopt;
  const std::string_view op = node.op;
  Layer layer;
  layer.node = node_index;
  layer.weight = weight;

  if (op == "Conv") {
    layer.rows = tensor.shape[0];
    layer.columns = 1;
    for (std::int32_t axis = 1; axis < tensor.ndim; ++axis) layer.columns *= tensor.shape[axis];
    layer.positions = tensor.shape[1] > 0 ? layer.columns / tensor.shape[1] : 1;
    layer.groups = integer(node, "group", 1);
  } else if (tensor.ndim > 2) {
    throw adze::Error(ADZE_UNIMPLEMENTED, "node '" + std::string(node.name) +
                                              "': a MatMul with a stack of weight matrices cannot "
                                              "be pruned; add it to `exclude`");
  } else {
    const bool by_output = op == "Gemm" && integer(node, "transB", 0) != 0;
    layer.rows = tensor.shape[by_output ? 0 : 1];
    layer.columns = tensor.shape[by_output ? 1 : 0];
  }
  const bool rows_first = op == "Conv" || (op == "Gemm" && integer(node, "transB", 0) != 0);
  layer.row_stride = rows_first ? layer.columns : 1;
  layer.column_stride = rows_first ? 1 : layer.rows;

  if (op != "MatMul" && node.input_count > 2 && node.inputs[2] != ADZE_NONE) {
    const adze_value& bias = *graph.values[node.inputs[2]];
    const auto elements = adze::f32(bias.constant);
    if (static_cast<std::int64_t>(elements.size()) == layer.rows && bias.consumer_count == 1)
      layer.bias = node.inputs[2];
  }
  if (op == "Gemm") {
    layer.output_factor = number(node, "alpha", 1);
    if (layer.output_factor == 0) return std::nullopt;
    layer.bias_factor = number(node, "beta", 1) / layer.output_factor;
  }
  if (layer.bias_factor == 0) layer.bias = ADZE_NONE;
  layer.has_other_bias = op != "MatMul" && layer.bias == ADZE_NONE;
  return layer;
}

std::vector<Layer> layers_of(const adze_graph& graph) {
  std::vector<Layer> layers;
  std::vector<bool> seen(graph.value_count, false);
  for (const std::uint32_t target : adze::targets(graph)) {
    const std::optional<Layer> layer = layer_of(graph, target);
    if (!layer || layer->count() == 0 || seen[layer->weight]) continue;
    seen[layer->weight] = true;
    layers.push_back(*layer);
  }
  return layers;
}

}  // namespace pruning
