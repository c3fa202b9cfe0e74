#include <algorithm>
#include <cmath>

#include "host/graph/batch_norm.hpp"
#include "host/graph/edit_graph.hpp"
#include "host/graph/evaluate_node.hpp"
#include "host/graph/simplify.hpp"

namespace adze::host {
namespace {

const Tensor* constant_input(const Graph& graph, const Node& node, std::size_t input) {
  if (input >= node.inputs.size() || node.inputs[input] == kNone) return nullptr;
  const Value& value = graph.value(node.inputs[input]);
  return value.constant && value.dtype == DType::f32 ? &*value.constant : nullptr;
}

// Which output channel each element of the weight works for: element i of the weight belongs to
// channel (i / inner) % width + block * width, where block counts groups of ConvTranspose.
struct ChannelLayout {
  std::size_t inner = 1, width = 1, elements_per_block = 1;
  std::size_t channel(std::size_t element) const {
    return element / inner % width + element / elements_per_block * width;
  }
};

std::optional<ChannelLayout> layout_of(const Node& node, const Tensor& weight,
                                       std::size_t channels) {
  const Shape& shape = weight.shape();
  const auto count = static_cast<std::size_t>(weight.count());
  if (count == 0 || shape.size() < 2) return std::nullopt;
  const auto behind_two = count / static_cast<std::size_t>(shape[0] * shape[1]);
  const auto rows = static_cast<std::size_t>(shape[0]),
             columns = static_cast<std::size_t>(shape[1]);
  ChannelLayout layout;
  if (node.op == "Conv") {
    layout = {behind_two * columns, rows, count};
  } else if (node.op == "ConvTranspose") {
    const std::int64_t groups = attribute_or<std::int64_t>(node, "group", 1);
    if (groups < 1 || shape[0] % groups != 0) return std::nullopt;
    layout = {behind_two, columns, count / static_cast<std::size_t>(groups)};
    if (columns * static_cast<std::size_t>(groups) != channels) return std::nullopt;
    return layout;
  } else if (node.op == "Gemm" && shape.size() == 2 && attribute_or(node, "alpha", 1.0) == 1.0 &&
             attribute_or(node, "beta", 1.0) == 1.0) {
    layout = attribute_or<std::int64_t>(node, "transB", 0) != 0
                 ? ChannelLayout{columns, rows, count}
                 : ChannelLayout{1, columns, count};
  } else {
    return std::nullopt;
  }
  if (layout.width != channels) return std::nullopt;
  return layout;
}

bool all_equal(const std::vector<double>& numbers) {
  return std::all_of(numbers.begin(), numbers.end(), [&](double n) { return n == numbers[0]; });
}

Tensor scaled(const Tensor& weight, const ChannelLayout& layout, const std::vector<double>& by) {
  if (const auto value = uniform_value(weight); value && all_equal(by))
    return Tensor::uniform(DType::f32, weight.shape(), *value * by[0]);
  Tensor result = weight;
  const auto elements = result.mutate<float>();
  for (std::size_t i = 0; i < elements.size(); ++i)
    elements[i] = static_cast<float>(static_cast<double>(elements[i]) * by[layout.channel(i)]);
  return result;
}

// Into the node that produces the normalized value; false when it cannot take it.
bool fold_into(Graph& graph, Node& node, const Affine& affine) {
  if (!node.domain.empty()) return false;
  const std::size_t channels = affine.factor.size();
  const Tensor* weight = constant_input(graph, node, 1);
  const Tensor* bias = constant_input(graph, node, 2);
  if (!weight || !bias || bias->shape() != Shape{static_cast<std::int64_t>(channels)}) return false;
  Value &weight_value = graph.values[node.inputs[1]], &bias_value = graph.values[node.inputs[2]];
  if (weight_value.quant || bias_value.quant || weight_value.consumers.size() != 1 ||
      bias_value.consumers.size() != 1 || is_output(graph, node.inputs[1]) ||
      is_output(graph, node.inputs[2]))
    return false;
  const auto layout = layout_of(node, *weight, channels);
  if (!layout) return false;
  const std::vector<float> old_bias = to_f32(*bias);
  Tensor new_bias(DType::f32, bias->shape());
  const auto out = new_bias.mutate<float>();
  for (std::size_t c = 0; c < channels; ++c)
    out[c] =
        static_cast<float>(static_cast<double>(old_bias[c]) * affine.factor[c] + affine.offset[c]);
  weight_value.constant = scaled(*weight, *layout, affine.factor);
  bias_value.constant = std::move(new_bias);
  return true;
}

}  // namespace

std::optional<Affine> affine_of(const Graph& graph, const Node& node) {
  if (node.op != "BatchNormalization" || !node.domain.empty() ||
      attribute_or<std::int64_t>(node, "training_mode", 0) != 0)
    return std::nullopt;
  std::vector<float> parts[4];  // scale, bias, mean, variance
  for (std::size_t i = 0; i < 4; ++i) {
    const Tensor* part = constant_input(graph, node, i + 1);
    if (!part || part->count() == 0 || part->shape().size() != 1) return std::nullopt;
    parts[i] = to_f32(*part);
    if (parts[i].size() != parts[0].size()) return std::nullopt;
  }
  const double epsilon = attribute_or(node, "epsilon", 1e-5);
  Affine affine;
  for (std::size_t c = 0; c < parts[0].size(); ++c) {
    const double deviation = std::sqrt(static_cast<double>(parts[3][c]) + epsilon);
    const double factor = static_cast<double>(parts[0][c]) / deviation;
    const double offset =
        static_cast<double>(parts[1][c]) - factor * static_cast<double>(parts[2][c]);
    if (!std::isfinite(factor) || !std::isfinite(offset)) return std::nullopt;
    affine.factor.push_back(factor);
    affine.offset.push_back(offset);
  }
  return affine;
}

void fold_batch_norms(Graph& graph) {
  own_constants(graph);
  std::vector<bool> leaves(graph.nodes.size());
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const auto affine = affine_of(graph, graph.nodes[n]);
    if (!affine) continue;
    const Node& norm = graph.nodes[n];
    if (std::any_of(norm.outputs.begin() + 1, norm.outputs.end(),
                    [](auto v) { return v != kNone; }))
      continue;
    const std::uint32_t before = norm.inputs[0], after = norm.outputs[0];
    if (before == kNone || after == kNone) continue;
    const Value& value = graph.value(before);
    if (value.producer == kNone || value.quant || value.consumers.size() != 1 ||
        is_output(graph, before) || leaves[value.producer])
      continue;
    Node& producer = graph.nodes[value.producer];
    if (producer.outputs != std::vector<std::uint32_t>{before} ||
        !fold_into(graph, producer, *affine))
      continue;
    producer.outputs[0] = after;
    graph.values[after].producer = value.producer;
    leaves[n] = true;
  }
  remove_nodes(graph, std::move(leaves));
  graph.relink();
}

}  // namespace adze::host
