#include <fmt/format.h>

#include "host/base/error.hpp"
#include "host/onnx/infer.hpp"

namespace adze::host {
namespace {

const Shape* shape_of(const Graph& graph, const Node& node, std::size_t input) {
  if (input >= node.inputs.size() || node.inputs[input] == kNone) return nullptr;
  const auto& shape = graph.value(node.inputs[input]).shape;
  return shape ? &*shape : nullptr;
}

void expect(const Graph& graph, const Node& node, std::size_t input, std::int64_t given,
            std::int64_t needed, const char* of_what) {
  if (given < 0 || needed < 0 || given == needed) return;
  throw Error(
      ADZE_INVALID_ARGUMENT,
      fmt::format("node '{}' ({}) does not fit: '{}' has the shape {}, so {} {}, but {} are "
                  "needed",
                  node.name, node.op, graph.value(node.inputs[input]).name,
                  to_string(*shape_of(graph, node, input)), given, of_what, needed));
}

void check_convolution(const Graph& graph, const Node& node) {
  const Shape *in = shape_of(graph, node, 0), *weight = shape_of(graph, node, 1);
  if (!in || !weight) return;
  const std::int64_t groups = attribute_or<std::int64_t>(node, "group", 1);
  const bool transposed = node.op == "ConvTranspose";
  if (groups < 1 || in->size() < 3 || weight->size() != in->size())
    throw Error(ADZE_INVALID_ARGUMENT,
                fmt::format("node '{}' ({}) does not fit: input {}, weight {}, {} groups",
                            node.name, node.op, to_string(*in), to_string(*weight), groups));
  const std::int64_t channels = (*in)[1];
  if (transposed) {
    expect(graph, node, 1, (*weight)[0], channels, "input channels");
  } else if (channels >= 0) {
    if (channels % groups != 0 || ((*weight)[0] >= 0 && (*weight)[0] % groups != 0))
      throw Error(ADZE_INVALID_ARGUMENT,
                  fmt::format("node '{}' ({}) does not fit: {} input and {} output channels in {} "
                              "groups",
                              node.name, node.op, channels, (*weight)[0], groups));
    expect(graph, node, 1, (*weight)[1], channels / groups, "input channels per group");
  }
  const std::int64_t out = transposed ? (*weight)[1] * groups : (*weight)[0];
  const auto kernel = attribute_or<std::vector<std::int64_t>>(node, "kernel_shape", {});
  for (std::size_t i = 0; i < kernel.size() && i + 2 < weight->size(); ++i)
    expect(graph, node, 1, (*weight)[i + 2], kernel[i], "kernel elements along one axis");
  if (const Shape* bias = shape_of(graph, node, 2))
    expect(graph, node, 2, bias->size() == 1 ? (*bias)[0] : 0, out, "elements");
}

void check_gemm(const Graph& graph, const Node& node) {
  const Shape *a = shape_of(graph, node, 0), *b = shape_of(graph, node, 1);
  if (!a || !b || a->size() != 2 || b->size() != 2) return;
  const bool flip_a = attribute_or<std::int64_t>(node, "transA", 0) != 0;
  const bool flip_b = attribute_or<std::int64_t>(node, "transB", 0) != 0;
  expect(graph, node, 1, (*b)[flip_b ? 1 : 0], (*a)[flip_a ? 0 : 1], "rows");
}

void check_normalization(const Graph& graph, const Node& node) {
  const Shape* in = shape_of(graph, node, 0);
  if (!in || in->size() < 2) return;
  for (std::size_t i = 1; i < node.inputs.size(); ++i)
    if (const Shape* part = shape_of(graph, node, i))
      expect(graph, node, i, part->size() == 1 ? (*part)[0] : 0, (*in)[1], "channels");
}

}  // namespace

void check_shapes(const Graph& graph) {
  for (const Node& node : graph.nodes) {
    if (!node.domain.empty()) continue;
    if (node.op == "Conv" || node.op == "ConvTranspose") check_convolution(graph, node);
    if (node.op == "Gemm") check_gemm(graph, node);
    if (node.op == "BatchNormalization") check_normalization(graph, node);
  }
}

}  // namespace adze::host
