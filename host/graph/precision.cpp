#include "host/graph/precision.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include "host/graph/edit_graph.hpp"
#include "host/graph/statistics.hpp"

namespace adze::host {
namespace {

constexpr std::array<std::string_view, 15> kMoving = {
    "MaxPool", "GlobalMaxPool", "Flatten",      "Reshape", "Transpose",
    "Squeeze", "Unsqueeze",     "Identity",     "Slice",   "Split",
    "Gather",  "DepthToSpace",  "SpaceToDepth", "Pad",     "Expand"};
/// All inputs are numbers.
constexpr std::array<std::string_view, 10> kCombining = {"Add", "Sub", "Mul", "Div",   "Concat",
                                                         "Sum", "Max", "Min", "PRelu", "MatMul"};
constexpr std::array<std::string_view, 3> kLayers = {"Conv", "ConvTranspose", "Gemm"};
constexpr std::array<std::string_view, 4> kFusing = {"Conv", "ConvTranspose", "Gemm", "MatMul"};
constexpr std::array<std::string_view, 6> kConverting = {
    "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "Shape",
    "Size",           "ConstantOfShape"};
constexpr std::array<std::string_view, 4> kIntegerOperators = {"QLinearConv", "QLinearMatMul",
                                                               "ConvInteger", "MatMulInteger"};

template <class List>
bool one_of(const List& list, std::string_view op) {
  return std::ranges::find(list, op) != list.end();
}

bool is_floating(const Value& value) {
  const std::uint8_t code = info(value.dtype).code;
  return code == ADZE_FLOAT || code == ADZE_BFLOAT;
}

bool is_layer(const Node& node) {
  return node.domain.empty() && (one_of(kLayers, node.op) || node.op == "MatMul");
}

/// The Relu or Clip that alone reads the unrounded result of a layer or Add; kNone: there is none.
std::uint32_t fused_behind(const Graph& graph, const Node& node) {
  if (!node.domain.empty() || !(one_of(kFusing, node.op) || node.op == "Add")) return kNone;
  const Value& result = graph.value(node.outputs.at(0));
  if (result.quant || result.consumers.size() != 1 || is_output(graph, node.outputs[0]))
    return kNone;
  const Node& reader = graph.nodes[result.consumers[0]];
  const bool limits = reader.domain.empty() && (reader.op == "Relu" || reader.op == "Clip");
  return limits && reader.inputs[0] == node.outputs[0] ? result.consumers[0] : kNone;
}

class Judge {
 public:
  explicit Judge(const Graph& graph) : graph_(graph), found_(graph.nodes.size()) {}

  std::vector<NodePrecision> run() {
    for (std::size_t n = 0; n < found_.size(); ++n) found_[n] = judge(graph_.nodes[n]);
    return std::move(found_);
  }

 private:
  static NodePrecision floating(std::string why) { return {Precision::floating, std::move(why)}; }

  NodePrecision judge(const Node& node) const {
    if (one_of(kConverting, node.op) || node.outputs.empty()) return {};
    if (one_of(kIntegerOperators, node.op)) return {Precision::int8, ""};
    if (node.op.starts_with("QLinear") || node.op == "QGemm" || node.op == "QAttention")
      return {Precision::int8, ""};
    const auto floating_result = std::ranges::find_if(node.outputs, [&](std::uint32_t value) {
      return value != kNone && is_floating(graph_.value(value));
    });
    if (floating_result == node.outputs.end()) return {};
    for (const std::uint32_t input : number_inputs(graph_, node))
      if (const std::string why = why_not(input); !why.empty()) return floating(why);
    return judge_result(node, *floating_result);
  }

  std::string why_not(std::uint32_t input) const {
    const Value& value = graph_.value(input);
    if (value.quant)
      return value.quant->bits <= 8
                 ? ""
                 : fmt::format("'{}' has {} bits", value.name, int{value.quant->bits});
    if (value.constant) return fmt::format("'{}' is a floating-point constant", value.name);
    if (value.producer == kNone) return fmt::format("input '{}' is not quantized", value.name);
    const Node& producer = graph_.nodes[value.producer];
    if (fused_behind(graph_, producer) != kNone || only_moves(producer) ||
        one_of(kIntegerOperators, producer.op)) {
      const NodePrecision& before = found_[value.producer];
      if (before.precision == Precision::int8) return "";
    }
    return fmt::format("'{}', the result of {} ({}), is not quantized", value.name, producer.name,
                       producer.op);
  }

  NodePrecision judge_result(const Node& node, std::uint32_t result) const {
    const Value& value = graph_.value(result);
    if (value.quant || only_moves(node)) return {Precision::int8, ""};
    if (const std::uint32_t reader = fused_behind(graph_, node); reader != kNone) {
      const Value& behind = graph_.value(graph_.nodes[reader].outputs[0]);
      if (behind.quant) return {Precision::int8, ""};
    }
    const bool after_layer = value.producer != kNone && !node.inputs.empty() &&
                             node.inputs[0] != kNone &&
                             graph_.value(node.inputs[0]).producer != kNone &&
                             is_layer(graph_.nodes[graph_.value(node.inputs[0]).producer]) &&
                             !graph_.value(node.inputs[0]).quant;
    if (!is_layer(node) && !after_layer)
      return floating(fmt::format("its result '{}' is not quantized", value.name));
    if (is_output(graph_, result))
      return {Precision::int8, "its exact sums leave the model as floating point"};
    std::string readers;
    for (const std::uint32_t reader : value.consumers)
      readers += fmt::format("{}{} ({})", readers.empty() ? "" : ", ", graph_.nodes[reader].name,
                             graph_.nodes[reader].op);
    return {Precision::int8,
            fmt::format("its sums are not rounded: {} reads them as floating point",
                        readers.empty() ? "nobody" : readers)};
  }

  const Graph& graph_;
  std::vector<NodePrecision> found_;
};

/// A grid whose scale and zero point are inputs of a node; nullopt when they are computed.
std::optional<Quant> grid_of_inputs(const Graph& graph, const Node& node, std::size_t scale_input,
                                    std::size_t point_input, std::int32_t axis) {
  const auto constant = [&](std::size_t input) -> const Tensor* {
    if (input >= node.inputs.size() || node.inputs[input] == kNone) return nullptr;
    const auto& found = graph.value(node.inputs[input]).constant;
    return found ? &*found : nullptr;
  };
  const Tensor *scale = constant(scale_input), *point = constant(point_input);
  if (!scale || info(scale->dtype()).code != ADZE_FLOAT) return std::nullopt;
  Quant quant;
  quant.scale = to_f32(*scale);
  if (quant.scale.size() > 1) quant.axis = axis;
  if (!point) return quant;
  quant.is_signed = point->dtype() == DType::i8;
  const std::vector<float> wide = to_f32(*point);
  quant.zero_point.assign(wide.begin(), wide.end());
  return quant;
}

class TensorList {
 public:
  explicit TensorList(const Graph& graph) : graph_(graph) {}

  std::vector<QuantizedTensor> run() {
    for (const std::uint32_t input : graph_.inputs) add(input);
    for (const Node& node : graph_.nodes) {
      for (const std::uint32_t input : node.inputs)
        if (input != kNone) add(input);
      add_named(node);
      for (const std::uint32_t output : node.outputs)
        if (output != kNone) add(output);
    }
    return std::move(found_);
  }

 private:
  void add(std::uint32_t value) {
    if (graph_.value(value).quant) add(value, *graph_.value(value).quant);
  }

  void add(std::uint32_t value, Quant quant) {
    if (!known_.insert(value).second) return;
    const Value& tensor = graph_.value(value);
    found_.push_back({tensor.name, tensor.constant.has_value(), value, std::move(quant)});
  }

  void add_named(const Node& node) {
    const auto take = [&](std::uint32_t value, std::size_t scale, std::int32_t axis) {
      if (value == kNone) return;
      if (auto quant = grid_of_inputs(graph_, node, scale, scale + 1, axis))
        add(value, std::move(*quant));
    };
    const auto axis = static_cast<std::int32_t>(attribute_or<std::int64_t>(node, "axis", 1));
    if (node.op == "QuantizeLinear") take(node.outputs[0], 1, axis);
    if (node.op == "DequantizeLinear") take(node.inputs[0], 1, axis);
    if ((node.op == "QLinearConv" || node.op == "QLinearMatMul") && node.inputs.size() >= 8) {
      take(node.inputs[0], 1, 0);
      take(node.inputs[3], 4, node.op == "QLinearConv" ? 0 : 1);
      take(node.outputs[0], 6, 0);
    }
  }

  const Graph& graph_;
  std::set<std::uint32_t> known_;
  std::vector<QuantizedTensor> found_;
};

}  // namespace

bool only_moves(const Node& node) { return node.domain.empty() && one_of(kMoving, node.op); }

std::vector<std::uint32_t> number_inputs(const Graph& graph, const Node& node) {
  std::size_t count = 1;
  if (one_of(kCombining, node.op)) count = node.inputs.size();
  if (one_of(kLayers, node.op)) count = 2;
  std::vector<std::uint32_t> found;
  for (std::size_t i = 0; i < std::min(count, node.inputs.size()); ++i)
    if (node.inputs[i] != kNone && is_floating(graph.value(node.inputs[i])))
      found.push_back(node.inputs[i]);
  return found;
}

std::vector<NodePrecision> node_precisions(const Graph& graph) { return Judge(graph).run(); }

bool is_quantized(const Graph& graph) {
  return std::ranges::any_of(graph.values,
                             [](const Value& value) { return value.quant.has_value(); });
}

std::vector<QuantizedTensor> quantized_tensors(const Graph& graph) {
  return TensorList(graph).run();
}

MacShare int8_macs(const Graph& graph) {
  const std::vector<NodePrecision> precisions = node_precisions(graph);
  MacShare share;
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const std::int64_t macs = macs_of(graph, graph.nodes[n]);
    share.macs += macs;
    if (precisions[n].precision == Precision::int8) share.int8_macs += macs;
  }
  return share;
}

}  // namespace adze::host
