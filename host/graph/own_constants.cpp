#include "host/graph/edit_graph.hpp"
#include "host/graph/simplify.hpp"

namespace adze::host {
namespace {

// Output channels of a Conv, ConvTranspose or Gemm; nullopt when the weight's shape is not known.
std::optional<std::int64_t> output_channels(const Graph& graph, const Node& node) {
  if (node.inputs.size() < 2 || node.inputs[1] == kNone) return std::nullopt;
  const auto& shape = graph.value(node.inputs[1]).shape;
  if (!shape || shape->size() < 2 || (*shape)[0] < 0 || (*shape)[1] < 0) return std::nullopt;
  if (node.op == "Conv") return (*shape)[0];
  if (node.op == "ConvTranspose") return (*shape)[1] * attribute_or<std::int64_t>(node, "group", 1);
  return attribute_or<std::int64_t>(node, "transB", 0) != 0 ? (*shape)[0] : (*shape)[1];
}

bool owns_inputs(const Node& node) {
  return node.domain.empty() && (node.op == "Conv" || node.op == "ConvTranspose" ||
                                 node.op == "Gemm" || node.op == "MatMul");
}

void add_bias(Graph& graph, FreshNames& names, Node& node) {
  if (node.inputs.size() > 2 && node.inputs[2] != kNone) return;
  const auto channels = output_channels(graph, node);
  const DType dtype = graph.value(node.inputs[1]).dtype;
  if (!channels || (dtype != DType::f32 && dtype != DType::f64 && dtype != DType::f16)) return;
  Value bias;
  bias.name = names.value(node.name + "/bias");
  bias.dtype = dtype;
  bias.shape = Shape{*channels};
  bias.constant = Tensor(dtype, *bias.shape);
  node.inputs.resize(3, kNone);
  node.inputs[2] = static_cast<std::uint32_t>(graph.values.size());
  graph.values.push_back(std::move(bias));
}

// Gemm's bias broadcasts; one element a channel is the form everyone else expects.
void spread_bias(Graph& graph, const Node& node) {
  const auto channels = output_channels(graph, node);
  Value& bias = graph.values[node.inputs[2]];
  if (!channels || !bias.constant || bias.dtype != DType::f32 || bias.quant ||
      bias.shape == Shape{*channels})
    return;
  if (bias.constant->count() == *channels && bias.shape->back() == *channels) {
    bias.constant = bias.constant->reshaped({*channels});
  } else if (bias.constant->count() == 1) {
    const std::vector<float> spread(static_cast<std::size_t>(*channels), to_f32(*bias.constant)[0]);
    bias.constant = Tensor(DType::f32, {*channels}, std::span<const float>(spread));
    bias.keep.clear();
    bias.pattern.clear();
  } else {
    return;
  }
  bias.shape = bias.constant->shape();
}

}  // namespace

void own_constants(Graph& graph) {
  graph.relink();
  FreshNames names(graph);
  // A constant has one owner and no other reader; the first owner keeps the original.
  std::vector<bool> taken(graph.values.size());
  for (const std::uint32_t output : graph.outputs) taken[output] = true;
  for (const Node& node : graph.nodes)
    for (std::size_t i = 0; i < node.inputs.size(); ++i)
      if (node.inputs[i] != kNone && (i == 0 || !owns_inputs(node))) taken[node.inputs[i]] = true;

  for (Node& node : graph.nodes) {
    if (!owns_inputs(node)) continue;
    const bool has_bias = node.op != "MatMul";
    if (has_bias && node.inputs.size() > 1 && node.inputs[1] != kNone) add_bias(graph, names, node);
    taken.resize(graph.values.size());
    for (std::size_t i = 1; i < node.inputs.size(); ++i) {
      const std::uint32_t input = node.inputs[i];
      if (input == kNone || !graph.values[input].constant) continue;
      if (!taken[input]) {
        taken[input] = true;
        continue;
      }
      Value copy = graph.values[input];
      copy.name = names.value(node.name + (i == 1 ? "/weight" : "/bias"));
      node.inputs[i] = static_cast<std::uint32_t>(graph.values.size());
      graph.values.push_back(std::move(copy));
      taken.push_back(true);
    }
    if (node.op == "Gemm" && node.inputs.size() > 2 && node.inputs[2] != kNone)
      spread_bias(graph, node);
  }
  graph.relink();
}

}  // namespace adze::host
