#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "host/base/error.hpp"
#include "host/onnx/infer_nodes.hpp"

namespace adze::host {
namespace {

[[noreturn]] void refuse(const Node& node, const std::string& why) {
  throw Error(ADZE_INVALID_ARGUMENT, fmt::format("node '{}' ({}) {}", node.name, node.op, why));
}

const Shape* shape_of(const Graph& graph, const Node& node, std::size_t input,
                      const TypedShapes& shapes) {
  if (input >= node.inputs.size() || node.inputs[input] == kNone) return nullptr;
  const auto at = shapes.find(graph.value(node.inputs[input]).name);
  return at == shapes.end() || !at->second.shape ? nullptr : &*at->second.shape;
}

void check_list(const Node& node, const char* name, std::size_t length, std::int64_t lowest) {
  constexpr std::int64_t kHighest = std::int64_t{1} << 31;
  const auto at = node.attributes.find(name);
  if (at == node.attributes.end()) return;
  const auto* list = std::get_if<std::vector<std::int64_t>>(&at->second);
  if (!list || list->size() != length)
    refuse(node, fmt::format("has {} elements in '{}', but needs {}", list ? list->size() : 0, name,
                             length));
  for (const std::int64_t element : *list)
    if (element < lowest || element > kHighest)
      refuse(node, fmt::format("has {} in '{}'", element, name));
}

// Windows that slide over the axes behind batch and channels.
void check_window(const Graph& graph, const Node& node, const TypedShapes& shapes) {
  const Shape* in = shape_of(graph, node, 0, shapes);
  if (!in) return;
  if (in->size() < 3)
    refuse(node, fmt::format("needs an input of 3 axes or more, not {}", to_string(*in)));
  const std::size_t axes = in->size() - 2;
  for (const char* name : {"kernel_shape", "strides", "dilations"}) check_list(node, name, axes, 1);
  check_list(node, "pads", 2 * axes, -(std::int64_t{1} << 31));
  check_list(node, "output_padding", axes, 0);
  if (node.op == "ConvTranspose") check_list(node, "output_shape", axes, 1);
  const bool convolves = node.op.find("Conv") != std::string::npos;
  if (!convolves) return;
  const std::size_t weight_input = node.op == "QLinearConv" ? 3 : 1;
  const Shape* weight = shape_of(graph, node, weight_input, shapes);
  if (weight && weight->size() != in->size())
    refuse(node,
           fmt::format("does not fit: input {}, weight {}", to_string(*in), to_string(*weight)));
  constexpr std::int64_t kMostGroups = std::int64_t{1} << 31;
  const std::int64_t groups = attribute_or<std::int64_t>(node, "group", 1);
  if (groups < 1 || groups > kMostGroups) refuse(node, fmt::format("has {} groups", groups));
}

}  // namespace

void check_before_inference(const Graph& graph, const Node& node, const TypedShapes& shapes) {
  static constexpr std::array kWindows = {"AveragePool", "Conv",    "ConvInteger", "ConvTranspose",
                                          "LpPool",      "MaxPool", "MaxUnpool",   "QLinearConv"};
  if (!node.domain.empty()) return;
  if (std::find(kWindows.begin(), kWindows.end(), node.op) != kWindows.end())
    check_window(graph, node, shapes);
  if (node.op == "DepthToSpace" || node.op == "SpaceToDepth") {
    constexpr std::int64_t kLargestBlock = 1 << 15;  // libonnx divides by its square
    const auto block = attribute_or<std::int64_t>(node, "blocksize", 1);
    if (block < 1 || block > kLargestBlock)
      refuse(node, fmt::format("has a blocksize of {}", block));
  }
  if (node.op == "Gemm")  // libonnx reads two axes of each
    for (std::size_t i = 0; i < 2; ++i)
      if (const Shape* matrix = shape_of(graph, node, i, shapes); matrix && matrix->size() != 2)
        refuse(node, fmt::format("needs matrices, not an input of {} axes", matrix->size()));
  if (node.op == "STFT")  // libonnx reads the axis of time
    if (const Shape* signal = shape_of(graph, node, 0, shapes);
        signal && signal->size() != 2 && signal->size() != 3)
      refuse(node, fmt::format("needs a signal of 2 or 3 axes, not {}", to_string(*signal)));
  if (node.op == "GatherND") {  // libonnx reads the axes of the data that an index leaves over
    const Shape *data = shape_of(graph, node, 0, shapes),
                *indices = shape_of(graph, node, 1, shapes);
    const auto batch_axes = attribute_or<std::int64_t>(node, "batch_dims", 0);
    if (data && indices && !indices->empty()) {
      const auto rank = static_cast<std::int64_t>(data->size());
      const std::int64_t index = indices->back();
      if (batch_axes < 0 || batch_axes > rank || index > rank - batch_axes || index < -1)
        refuse(node,
               fmt::format("has indices of {} numbers behind {} batch axes, its data have {} axes",
                           index, batch_axes, rank));
    }
  }
  if (node.op == "Scan") {  // libonnx makes a list as long as the attribute says
    const auto scanned = attribute_or<std::int64_t>(node, "num_scan_inputs", 1);
    if (scanned < 1 || scanned > static_cast<std::int64_t>(node.inputs.size()))
      refuse(node, fmt::format("scans {} of its {} inputs", scanned, node.inputs.size()));
  }
  if (node.op == "LayerNormalization")  // libonnx writes to the axis that it names
    if (const Shape* in = shape_of(graph, node, 0, shapes)) {
      const auto rank = static_cast<std::int64_t>(in->size());
      const auto axis = attribute_or<std::int64_t>(node, "axis", -1);
      if (axis < -rank || axis >= rank)
        refuse(node, fmt::format("has no axis {} in its input of {} axes", axis, rank));
    }
  constexpr std::size_t kMostAxes = 32;
  for (std::size_t i = 0; i < node.inputs.size(); ++i)
    if (const Shape* shape = shape_of(graph, node, i, shapes); shape && shape->size() > kMostAxes)
      refuse(node, fmt::format("has an input of {} axes", shape->size()));
}

}  // namespace adze::host
