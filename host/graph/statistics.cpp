#include "host/graph/statistics.hpp"

#include <algorithm>

namespace adze::host {
namespace {

// Elements of a value for one sample; 0 when not known.
std::int64_t elements_of(const Value& value) {
  if (!value.shape) return 0;
  std::int64_t count = 1;
  for (const std::int64_t size : *value.shape) {
    if (size < 0) return 0;
    count *= size;
  }
  return count;
}

std::int64_t parameters_of(const Value& value) {
  if (!value.constant) return 0;
  const std::uint8_t code = info(value.constant->dtype()).code;
  return code == ADZE_FLOAT || code == ADZE_BFLOAT ? value.constant->count() : 0;
}

}  // namespace

std::int64_t macs_of(const Graph& graph, const Node& node) {
  const bool linear = node.op == "QLinearConv" || node.op == "QLinearMatMul";
  const std::size_t weight = linear ? 3 : 1;
  if (node.outputs.empty() || node.inputs.size() <= weight || node.inputs[weight] == kNone)
    return 0;
  const Value& second = graph.value(node.inputs[weight]);
  const std::int64_t out = elements_of(graph.value(node.outputs[0]));
  if (!second.shape || second.shape->empty()) return 0;
  const Shape& w = *second.shape;
  if (node.op == "Conv" || node.op == "ConvInteger" || node.op == "QLinearConv")
    return w[0] ? out * (elements_of(second) / w[0]) : 0;
  if (node.op == "ConvTranspose")
    return w[0] ? elements_of(graph.value(node.inputs[0])) * (elements_of(second) / w[0]) : 0;
  if (node.op == "Gemm" && w.size() == 2)
    return out * (attribute_or<std::int64_t>(node, "transB", 0) ? w[1] : w[0]);
  if (node.op == "MatMul" || node.op == "MatMulInteger" || node.op == "QLinearMatMul")
    return out * (w.size() == 1 ? w[0] : w[w.size() - 2]);
  return 0;
}

std::int64_t parameters_of(const Graph& graph, const Node& node) {
  std::int64_t count = 0;
  for (const std::uint32_t input : node.inputs)
    if (input != kNone) count += parameters_of(graph.value(input));
  return count;
}

std::int64_t parameters_of(const Graph& graph) {
  std::int64_t count = 0;
  for (const Value& value : graph.values) count += parameters_of(value);
  return count;
}

ZeroCount zeros_of(const Graph& graph, const Node& node) {
  const std::uint32_t weight = weight_of(graph, node);
  if (weight == kNone) return {};
  const Tensor& tensor = *graph.value(weight).constant;
  if (tensor.is_uniform()) {  // one element tells, and gigabytes need not be read
    if (tensor.count() == 0) return {};
    const bool zero = std::ranges::all_of(tensor.bytes().first(info(tensor.dtype()).bits / 8u),
                                          [](std::byte b) { return b == std::byte{}; });
    return {zero ? tensor.count() : 0, tensor.count()};
  }
  const auto count_zeros = [](const auto& elements) { return std::ranges::count(elements, 0.0f); };
  return {
      tensor.dtype() == DType::f32 ? count_zeros(tensor.as<float>()) : count_zeros(to_f32(tensor)),
      tensor.count()};
}

ZeroCount zeros_of(const Graph& graph) {
  ZeroCount total;
  for (const Node& node : graph.nodes) {
    const ZeroCount one = zeros_of(graph, node);
    total.zeros += one.zeros;
    total.weights += one.weights;
  }
  return total;
}

}  // namespace adze::host
