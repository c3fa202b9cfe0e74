#include <algorithm>
#include <cmath>
#include <limits>

#include "host/graph/edit_graph.hpp"
#include "host/graph/evaluate_node.hpp"
#include "host/onnx/quantization.hpp"

namespace adze::host {
namespace {

template <class T>
Tensor scalar_or_vector(DType dtype, const Quant& quant, const std::vector<T>& elements) {
  const Shape shape = quant.axis < 0 ? Shape{} : Shape{static_cast<std::int64_t>(elements.size())};
  return {dtype, shape, std::span<const T>(elements)};
}

template <class T>
Tensor narrowed(DType dtype, const Quant& quant, const std::vector<std::int32_t>& points) {
  std::vector<T> narrow(quant.scale.size(), T{0});
  for (std::size_t i = 0; i < points.size() && i < narrow.size(); ++i)
    narrow[i] = static_cast<T>(points[i]);
  return scalar_or_vector(dtype, quant, narrow);
}

template <class T>
Tensor quantized_as(DType dtype, const Tensor& real, const Quant& quant) {
  const std::vector<float> elements = to_f32(real);
  std::size_t inner = 1, channels = 1;
  if (quant.axis >= 0) {
    channels = quant.scale.size();
    for (std::size_t i = static_cast<std::size_t>(quant.axis) + 1; i < real.shape().size(); ++i)
      inner *= static_cast<std::size_t>(real.shape()[i]);
  }
  const double highest = std::ldexp(1.0, quant.bits - (quant.is_signed ? 1 : 0)) - 1;
  const double lowest = quant.is_signed ? -highest - 1 : 0;
  Tensor result(dtype, real.shape());
  const auto out = result.mutate<T>();
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::size_t at = i / inner % channels;
    const double point = quant.zero_point.empty() ? 0 : quant.zero_point[at];
    const double level =
        std::nearbyint(static_cast<double>(elements[i]) / static_cast<double>(quant.scale[at]));
    out[i] = static_cast<T>(std::clamp(level + point, lowest, highest));
  }
  return result;
}

Tensor quantized(const Tensor& real, const Quant& quant) {
  const DType dtype = quant.is_signed ? DType::i8 : DType::u8;
  const auto convert = [&](const Tensor& from) {
    return quant.is_signed ? quantized_as<std::int8_t>(dtype, from, quant)
                           : quantized_as<std::uint8_t>(dtype, from, quant);
  };
  if (const auto value = uniform_value(real); value && quant.scale.size() == 1) {
    Quant whole = quant;
    whole.axis = -1;
    const auto level =
        uniform_like(convert(Tensor::uniform(DType::f32, {1}, *value)), real.shape());
    const Tensor one = convert(Tensor::uniform(DType::f32, Shape(real.shape().size(), 1), *value));
    return level ? *level : Tensor::uniform(dtype, real.shape(), first_element(one).value_or(0));
  }
  return convert(real);
}

class PairWriter {
 public:
  PairWriter(const Graph& graph, RenamedConstants& renamed)
      : graph_(graph), names_(graph), renamed_(renamed) {}

  Graph run() {
    const Graph original = graph_;
    read_as_.resize(graph_.values.size());
    for (std::uint32_t v = 0; v < read_as_.size(); ++v) read_as_[v] = v;
    std::vector<Node> nodes;
    nodes.swap(graph_.nodes);
    for (const std::uint32_t input : graph_.inputs) write_pair(input, input, false);
    for (Node& node : nodes) {
      const Node& before = original.nodes[static_cast<std::size_t>(&node - nodes.data())];
      for (std::uint32_t& input : node.inputs) {
        if (input == kNone) continue;
        if (original.value(input).constant && original.value(input).quant)
          write_constant(input);
        else
          input = read_as_[input];
      }
      write_bias(original, before, node);
      std::vector<std::uint32_t> results;
      for (std::uint32_t& output : node.outputs) {
        if (output == kNone || !original.value(output).quant) continue;
        results.push_back(output);
        if (!is_output(graph_, output)) continue;
        // The model's output is what leaves the pair, so the node's own result is renamed.
        output = add_value(original.value(output).name + "_unquantized", original.value(output));
      }
      const std::vector<std::uint32_t> made = node.outputs;
      graph_.nodes.push_back(std::move(node));
      for (const std::uint32_t result : results) {
        const bool is_model_output = is_output(graph_, result);
        std::uint32_t source = result;
        if (is_model_output)
          for (std::size_t i = 0; i < made.size(); ++i)
            if (before.outputs[i] == result) source = made[i];
        write_pair(result, source, is_model_output);
      }
    }
    for (Value& value : graph_.values) value.quant.reset();
    graph_.relink();
    return std::move(graph_);
  }

 private:
  std::uint32_t add_value(const std::string& name, const Value& like) {
    Value value;
    value.name = names_.value(name);
    value.dtype = like.dtype;
    value.shape = like.shape;
    value.batch_axis = like.batch_axis;
    graph_.values.push_back(std::move(value));
    return static_cast<std::uint32_t>(graph_.values.size() - 1);
  }

  std::uint32_t add_constant(const std::string& name, Tensor contents) {
    Value value;
    value.name = names_.value(name);
    value.dtype = contents.dtype();
    value.shape = contents.shape();
    value.constant = std::move(contents);
    graph_.values.push_back(std::move(value));
    return static_cast<std::uint32_t>(graph_.values.size() - 1);
  }

  void add_node(const std::string& op, const std::string& value_name,
                std::vector<std::uint32_t> inputs, std::uint32_t output, std::int32_t axis) {
    Node node;
    node.op = op;
    node.name = names_.node(value_name + "/" + op);
    node.op_version = 13;
    node.inputs = std::move(inputs);
    node.outputs = {output};
    if (axis >= 0) node.attributes["axis"] = static_cast<std::int64_t>(axis);
    graph_.nodes.push_back(std::move(node));
  }

  std::vector<std::uint32_t> add_parameters(const std::string& name, const Quant& quant) {
    const std::uint32_t scale =
        add_constant(name + "_scale", scalar_or_vector(DType::f32, quant, quant.scale));
    const std::uint32_t point =
        add_constant(name + "_zero_point",
                     quant.is_signed ? narrowed<std::int8_t>(DType::i8, quant, quant.zero_point)
                                     : narrowed<std::uint8_t>(DType::u8, quant, quant.zero_point));
    return {scale, point};
  }

  void write_pair(std::uint32_t value, std::uint32_t source, bool is_model_output) {
    const Value shown = graph_.values[value];
    if (!shown.quant || shown.constant) return;
    const Quant& quant = *shown.quant;
    const auto parameters = add_parameters(shown.name, quant);
    const std::uint32_t level = add_value(shown.name + "_quantized", shown);
    graph_.values[level].dtype = quant.is_signed ? DType::i8 : DType::u8;
    const std::uint32_t result =
        is_model_output ? value : add_value(shown.name + "_dequantized", shown);
    add_node("QuantizeLinear", shown.name, {source, parameters[0], parameters[1]}, level,
             quant.axis);
    add_node("DequantizeLinear", shown.name, {level, parameters[0], parameters[1]}, result,
             quant.axis);
    read_as_.resize(graph_.values.size());
    read_as_[value] = result;
  }

  void write_constant(std::uint32_t value) {
    if (!graph_.values[value].constant) return;  // done for another reader
    const Value shown = graph_.values[value];
    const auto parameters = add_parameters(shown.name, *shown.quant);
    const std::uint32_t level =
        add_constant(shown.name + "_quantized", quantized(*shown.constant, *shown.quant));
    renamed_.emplace_back(graph_.values[level].name, shown.name);
    graph_.values[value].constant.reset();
    add_node("DequantizeLinear", shown.name, {level, parameters[0], parameters[1]}, value,
             shown.quant->axis);
  }

  // The bias adds to sums of products, so its step is the product of the two steps.
  void write_bias(const Graph& original, const Node& before, Node& node) {
    const bool has_bias =
        before.domain.empty() && before.inputs.size() > 2 &&
        (before.op == "Conv" || before.op == "ConvTranspose" || before.op == "Gemm") &&
        before.inputs[2] != kNone;
    if (!has_bias) return;
    const auto& input = original.value(before.inputs[0]).quant;
    const auto& weight = original.value(before.inputs[1]).quant;
    const Value& bias = original.value(before.inputs[2]);
    if (!input || !weight || input->axis >= 0 || !bias.constant || bias.quant ||
        bias.dtype != DType::f32 || bias.shape->size() != 1 ||
        !original.value(before.inputs[1]).constant)
      return;
    const std::vector<float> elements = to_f32(*bias.constant);
    if (weight->axis >= 0 && weight->scale.size() != elements.size()) return;
    Quant quant{.axis = weight->axis >= 0 ? 0 : -1,
                .is_signed = true,
                .bits = 32,
                .scale = {},
                .zero_point = {}};
    for (const float step : weight->scale) quant.scale.push_back(step * input->scale[0]);
    std::vector<std::int32_t> levels;
    for (std::size_t i = 0; i < elements.size(); ++i) {
      const double step = quant.scale[quant.axis >= 0 ? i : 0];
      const double level = std::nearbyint(static_cast<double>(elements[i]) / step);
      // A bias that 32 bits cannot hold stays in floating point.
      if (!(std::fabs(level) <= std::numeric_limits<std::int32_t>::max())) return;
      levels.push_back(static_cast<std::int32_t>(level));
    }
    const std::uint32_t level =
        add_constant(bias.name + "_quantized",
                     Tensor(DType::i32, *bias.shape, std::span<const std::int32_t>(levels)));
    const std::uint32_t scale =
        add_constant(bias.name + "_scale", scalar_or_vector(DType::f32, quant, quant.scale));
    // Its own readers may want the floating-point constant, so the pair makes a new value only
    // when there are any.
    std::uint32_t result = before.inputs[2];
    if (bias.consumers.size() == 1 && !is_output(original, result)) {
      graph_.values[result].constant.reset();
    } else {
      result = add_value(bias.name + "_dequantized", bias);
    }
    renamed_.emplace_back(graph_.values[level].name, bias.name);
    add_node("DequantizeLinear", bias.name, {level, scale}, result, quant.axis);
    node.inputs[2] = result;
  }

  Graph graph_;
  FreshNames names_;
  RenamedConstants& renamed_;
  std::vector<std::uint32_t> read_as_;
};

}  // namespace

Graph with_qdq(const Graph& graph, RenamedConstants& renamed) {
  return PairWriter(graph, renamed).run();
}

}  // namespace adze::host
