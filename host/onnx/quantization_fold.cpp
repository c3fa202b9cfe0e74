#include <algorithm>
#include <cmath>

#include "host/graph/edit_graph.hpp"
#include "host/graph/evaluate_node.hpp"
#include "host/onnx/quantization.hpp"

namespace adze::host {
namespace {

struct Parameters {
  Quant quant;
  DType dtype;  // of the quantized tensor
  bool operator==(const Parameters&) const = default;
};

const Tensor* constant_input(const Graph& graph, const Node& node, std::size_t input) {
  if (input >= node.inputs.size() || node.inputs[input] == kNone) return nullptr;
  // PyTorch writes equal constants once, and an Identity for each other reader.
  std::uint32_t value = node.inputs[input];
  while (!graph.value(value).constant && graph.value(value).producer != kNone) {
    const Node& producer = graph.nodes[graph.value(value).producer];
    if (producer.op != "Identity" || !producer.domain.empty() || producer.inputs.empty() ||
        producer.inputs[0] == kNone)
      break;
    value = producer.inputs[0];
  }
  const auto& constant = graph.value(value).constant;
  return constant ? &*constant : nullptr;
}

std::vector<std::int32_t> zero_points(const Tensor& tensor) {
  const auto wide = to_f32(tensor);
  std::vector<std::int32_t> points(wide.begin(), wide.end());
  if (std::all_of(points.begin(), points.end(), [](auto point) { return point == 0; })) return {};
  return points;
}

// Of a QuantizeLinear or DequantizeLinear whose scale and zero point are constant and which works
// per tensor or per index of one axis of `shape`.
std::optional<Parameters> parameters_of(const Graph& graph, const Node& node, DType quantized,
                                        const std::optional<Shape>& shape) {
  const Tensor *scale = constant_input(graph, node, 1), *point = constant_input(graph, node, 2);
  const bool has_point = node.inputs.size() > 2 && node.inputs[2] != kNone;
  if (!scale || scale->dtype() != DType::f32 || scale->shape().size() > 1 || (has_point && !point))
    return std::nullopt;
  Parameters found{.quant = {}, .dtype = quantized};
  if (quantized != DType::i8 && quantized != DType::u8 && quantized != DType::i32)
    return std::nullopt;
  if (point && (point->dtype() != quantized || point->count() != scale->count()))
    return std::nullopt;
  found.quant.is_signed = quantized != DType::u8;
  found.quant.scale = to_f32(*scale);
  if (point && quantized != DType::i32) found.quant.zero_point = zero_points(*point);
  if (point && quantized == DType::i32 && !zero_points(*point).empty()) return std::nullopt;
  for (const float step : found.quant.scale)
    if (!std::isfinite(step) || step <= 0) return std::nullopt;
  if (scale->count() == 1) return found;
  std::int64_t axis = attribute_or<std::int64_t>(node, "axis", 1);
  const auto rank = shape ? static_cast<std::int64_t>(shape->size()) : 0;
  if (axis < 0) axis += rank;
  if (axis >= 0 && axis < rank && (*shape)[static_cast<std::size_t>(axis)] == scale->count())
    found.quant.axis = static_cast<std::int32_t>(axis);
  else
    return std::nullopt;
  return found;
}

// Index of scale and zero point for each element.
class ScaleIndex {
 public:
  ScaleIndex(const Quant& quant, const Shape& shape) {
    if (quant.axis < 0) return;
    channels_ = quant.scale.size();
    for (std::size_t i = static_cast<std::size_t>(quant.axis) + 1; i < shape.size(); ++i)
      inner_ *= static_cast<std::size_t>(shape[i]);
  }
  std::size_t of(std::size_t element) const { return element / inner_ % channels_; }

 private:
  std::size_t inner_ = 1, channels_ = 1;
};

std::int32_t zero_point_at(const Quant& quant, std::size_t index) {
  return quant.zero_point.empty() ? 0 : quant.zero_point[index];
}

Tensor dequantized(const Tensor& quantized, const Parameters& parameters) {
  const Quant& quant = parameters.quant;
  const auto real = [&](double element, std::size_t index) {
    return static_cast<float>((element - zero_point_at(quant, index)) *
                              static_cast<double>(quant.scale[index]));
  };
  if (const auto value = uniform_value(quantized); value && quant.scale.size() == 1)
    return Tensor::uniform(DType::f32, quantized.shape(), real(*value, 0));
  if (quantized.dtype() != DType::i32)
    return Tensor::dequantized({quantized, quant.axis, quant.scale, quant.zero_point});
  Tensor result(DType::f32, quantized.shape());
  const auto out = result.mutate<float>();
  const auto elements = quantized.as<std::int32_t>();
  const ScaleIndex index(quant, quantized.shape());
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = real(static_cast<double>(elements[i]), index.of(i));
  return result;
}

// A constant through QuantizeLinear and DequantizeLinear.
Tensor rounded(const Tensor& real, const Quant& quant) {
  Tensor result = real;
  const auto out = result.mutate<float>();
  const ScaleIndex index(quant, real.shape());
  const double lowest = quant.is_signed ? -128 : 0, highest = quant.is_signed ? 127 : 255;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::size_t at = index.of(i);
    const double point = zero_point_at(quant, at);
    const double level = std::clamp(
        static_cast<double>(std::nearbyint(out[i] / quant.scale[at])) + point, lowest, highest);
    out[i] = static_cast<float>((level - point) * static_cast<double>(quant.scale[at]));
  }
  return result;
}

bool is_op(const Node& node, const char* op) {
  return node.op == op && node.domain.empty() && node.inputs.size() >= 2 &&
         node.inputs[0] != kNone && node.outputs.size() == 1;
}

void make_constant(Value& value, Tensor contents) {
  value.dtype = contents.dtype();
  value.shape = contents.shape();
  value.batch_axis = -1;
  value.constant = std::move(contents);
}

void make_identity(Node& node, std::uint32_t input) {
  node.op = "Identity";
  node.op_version = 13;
  node.inputs = {input};
  node.attributes.clear();
}

class PairFolder {
 public:
  explicit PairFolder(Graph& graph) : graph_(graph) {}

  RenamedConstants run() {
    fold_constants();
    for (std::uint32_t n = 0; n < graph_.nodes.size(); ++n)
      if (is_op(graph_.nodes[n], "QuantizeLinear")) fold_pair(n);
    leaves_.resize(graph_.nodes.size());
    remove_nodes(graph_, leaves_);
    graph_.relink();
    return std::move(renamed_);
  }

 private:
  void leave(std::uint32_t node) {
    leaves_.resize(graph_.nodes.size());
    leaves_[node] = true;
  }

  void fold_constants() {
    for (std::uint32_t n = 0; n < graph_.nodes.size(); ++n) {
      const Node& node = graph_.nodes[n];
      if (!is_op(node, "DequantizeLinear") || is_output(graph_, node.outputs[0])) continue;
      const Tensor* quantized = constant_input(graph_, node, 0);
      if (!quantized) continue;
      const auto parameters = parameters_of(graph_, node, quantized->dtype(), quantized->shape());
      if (!parameters) continue;
      Value& result = graph_.values[node.outputs[0]];
      make_constant(result, dequantized(*quantized, *parameters));
      if (parameters->dtype != DType::i32) result.quant = parameters->quant;
      renamed_.emplace_back(graph_.value(node.inputs[0]).name, result.name);
      leave(n);
    }
    remove_nodes(graph_, leaves_.empty() ? std::vector<bool>(graph_.nodes.size())
                                         : (leaves_.resize(graph_.nodes.size()), leaves_));
    leaves_.clear();
    graph_.relink();
  }

  // The DequantizeLinear nodes behind node `n`, when they are all that reads it and undo it.
  std::optional<std::vector<std::uint32_t>> partners(std::uint32_t n,
                                                     const Parameters& parameters) const {
    const std::uint32_t quantized = graph_.nodes[n].outputs[0];
    if (is_output(graph_, quantized) || graph_.value(quantized).consumers.empty())
      return std::nullopt;
    for (const std::uint32_t consumer : graph_.value(quantized).consumers) {
      const Node& node = graph_.nodes[consumer];
      if (!is_op(node, "DequantizeLinear") || node.inputs[0] != quantized ||
          parameters_of(graph_, node, parameters.dtype, graph_.value(quantized).shape) !=
              parameters)
        return std::nullopt;
    }
    return graph_.value(quantized).consumers;
  }

  void fold_pair(std::uint32_t n) {
    const std::uint32_t source = graph_.nodes[n].inputs[0];
    const DType dtype = graph_.value(graph_.nodes[n].outputs[0]).dtype;
    const auto parameters =
        parameters_of(graph_, graph_.nodes[n], dtype, graph_.value(source).shape);
    if (!parameters || dtype == DType::i32 || graph_.value(source).dtype != DType::f32) return;
    const auto dequantizers = partners(n, *parameters);
    if (!dequantizers) return;

    const bool constant = graph_.value(source).constant.has_value();
    const bool shares = !constant && shared(n, source, *parameters);
    std::uint32_t merged = source;
    if (constant || shares) {
      merged = graph_.nodes[dequantizers->front()].outputs[0];
      if (constant && !is_output(graph_, merged)) {
        make_constant(graph_.values[merged],
                      rounded(*graph_.value(source).constant, parameters->quant));
        graph_.values[merged].keep = graph_.value(source).keep;
        renamed_.emplace_back(graph_.value(source).name, graph_.value(merged).name);
        leave(dequantizers->front());
      } else {
        make_identity(graph_.nodes[dequantizers->front()], source);
      }
      graph_.values[merged].quant = parameters->quant;
    } else {
      graph_.values[source].quant = parameters->quant;
    }
    leave(n);
    for (const std::uint32_t dequantizer : *dequantizers) {
      const std::uint32_t result = graph_.nodes[dequantizer].outputs[0];
      if (result == merged) continue;
      if (!is_output(graph_, result)) {
        replace_uses(graph_, result, merged);
        leave(dequantizer);
      } else if (merged == source && !is_input(source)) {
        // The model's output keeps its name; the unquantized value has no reader but this pair.
        for (Node& node : graph_.nodes)
          std::replace(node.outputs.begin(), node.outputs.end(), source, result);
        graph_.values[result].quant = parameters->quant;
        replace_uses(graph_, source, result);
        leave(dequantizer);
        merged = result;
      } else {
        make_identity(graph_.nodes[dequantizer], merged);
        graph_.values[result].quant = parameters->quant;
      }
    }
  }

  bool is_input(std::uint32_t value) const {
    return std::find(graph_.inputs.begin(), graph_.inputs.end(), value) != graph_.inputs.end();
  }

  // Somebody else sees `source` unquantized, or quantized otherwise.
  bool shared(std::uint32_t n, std::uint32_t source, const Parameters& parameters) const {
    const auto& quant = graph_.value(source).quant;
    if (is_output(graph_, source) || (quant && *quant != parameters.quant)) return true;
    if (quant) return false;  // an equal pair before this one: rounding twice changes nothing
    for (std::uint32_t other = 0; other < graph_.nodes.size(); ++other) {
      const Node& node = graph_.nodes[other];
      if (other == n || (other < leaves_.size() && leaves_[other]) ||
          std::find(node.inputs.begin(), node.inputs.end(), source) == node.inputs.end())
        continue;
      const bool same_pair = is_op(node, "QuantizeLinear") && node.inputs[0] == source &&
                             parameters_of(graph_, node, graph_.value(node.outputs[0]).dtype,
                                           graph_.value(source).shape) == parameters &&
                             partners(other, parameters);
      if (!same_pair) return true;
    }
    return false;
  }

  Graph& graph_;
  std::vector<bool> leaves_;
  RenamedConstants renamed_;
};

}  // namespace

RenamedConstants fold_qdq(Graph& graph) { return PairFolder(graph).run(); }

}  // namespace adze::host
