#include <fmt/format.h>

#include <algorithm>

#include "host/graph/batch_norm.hpp"
#include "host/graph/evaluate_node.hpp"
#include "host/graph/rewrite_rules.hpp"

namespace adze::host {
namespace {

using Sizes = std::vector<std::int64_t>;

/// One number a channel, and nothing else.
Node& scale_channels(Rewriting& rewriting, std::uint32_t to, std::span<const float> factor,
                     std::span<const float> offset) {
  const auto channels = static_cast<std::int64_t>(factor.size());
  Node& conv = rewriting.convolution(
      rewriting.node.inputs[0], to, {channels, 1, 1, 1},
      [&](std::span<float> weight) { std::copy(factor.begin(), factor.end(), weight.begin()); }, 1,
      offset);
  conv.attributes["group"] = channels;
  return conv;
}

/// Where each output of a Split or Slice along the channels begins; empty when it is none.
Sizes first_channels(const Graph& graph, const Node& node) {
  const Shape in = image_shape(graph, node.inputs.empty() ? kNone : node.inputs[0]);
  if (in.empty()) return {};
  Sizes first;
  std::int64_t next = 0;
  if (node.op == "Split") {
    const auto axis = axis_of(attribute_or<std::int64_t>(node, "axis", 0), in.size());
    if (axis != std::size_t{1}) return {};
  } else if (node.op == "Slice") {
    const auto list = [&](std::size_t input, Sizes fallback) {
      const Tensor* tensor = constant_at(graph, node, input, DType::i64);
      return tensor
                 ? *integers(*tensor)
                 : (input < node.inputs.size() && node.inputs[input] != kNone ? Sizes{} : fallback);
    };
    const Sizes starts = list(1, {}), axes = list(3, {0}), steps = list(4, {1});
    if (starts.size() != 1 || axes.size() != 1 || steps != Sizes{1} ||
        axis_of(axes[0], in.size()) != std::size_t{1})
      return {};
    next = std::clamp(starts[0] < 0 ? starts[0] + in[1] : starts[0], std::int64_t{0}, in[1]);
  } else {
    return {};
  }
  for (const std::uint32_t output : node.outputs) {
    const Shape out = image_shape(graph, output);
    if (out.empty() || out[0] != in[0] || out[2] != in[2] || out[3] != in[3] ||
        next + out[1] > in[1])
      return {};
    first.push_back(next);
    next += out[1];
  }
  return first;
}

struct Window {
  Sizes kernel, strides, pads;
};

std::optional<Window> window_of(const Graph& graph, const Node& node) {
  if (node.op != "AveragePool" || image_shape(graph, node.inputs[0]).empty() ||
      attribute_or<std::string>(node, "auto_pad", "NOTSET") != "NOTSET" ||
      attribute_or<std::int64_t>(node, "ceil_mode", 0) != 0)
    return std::nullopt;
  Window window{attribute_or(node, "kernel_shape", Sizes{}),
                attribute_or(node, "strides", Sizes{1, 1}),
                attribute_or(node, "pads", Sizes{0, 0, 0, 0})};
  const bool padded = std::any_of(window.pads.begin(), window.pads.end(),
                                  [](std::int64_t size) { return size != 0; });
  // Without the pads in the mean, each place at the border has a mean of its own.
  if (window.kernel.size() != 2 ||
      (padded && attribute_or<std::int64_t>(node, "count_include_pad", 0) == 0))
    return std::nullopt;
  return window;
}

/// The constant number that a Div or Sub takes.
std::optional<double> second_number(const Graph& graph, const Node& node) {
  const Tensor* second = constant_at(graph, node, 1, DType::f32);
  return second && second->count() == 1 ? first_element(*second) : std::nullopt;
}

}  // namespace

std::string scaling_text(const Graph& graph, const Node& node) {
  const auto affine = affine_of(graph, node);
  const Shape in = affine ? image_shape(graph, node.inputs[0]) : Shape();
  if (in.empty() || static_cast<std::size_t>(in[1]) != affine->factor.size() ||
      std::any_of(node.outputs.begin() + 1, node.outputs.end(), [](auto v) { return v != kNone; }))
    return "";
  return "a depthwise 1x1 convolution, which scales each channel";
}

void make_scaling(Rewriting& rewriting) {
  const Affine affine = *affine_of(rewriting.graph, rewriting.node);
  scale_channels(rewriting, rewriting.node.outputs[0],
                 std::vector<float>(affine.factor.begin(), affine.factor.end()),
                 std::vector<float>(affine.offset.begin(), affine.offset.end()));
}

std::string choosing_text(const Graph& graph, const Node& node) {
  const Sizes first = first_channels(graph, node);
  if (first.empty()) return "";
  if (first.size() == 1) return "a 1x1 convolution of zeros and ones, which chooses the channels";
  return fmt::format("{} 1x1 convolutions of zeros and ones, which choose the channels",
                     first.size());
}

void make_choosing(Rewriting& rewriting) {
  const Sizes first = first_channels(rewriting.graph, rewriting.node);
  const std::int64_t inputs = (*rewriting.input(0).shape)[1];
  for (std::size_t i = 0; i < first.size(); ++i) {
    const std::uint32_t output = rewriting.node.outputs[i];
    const std::int64_t outputs = (*rewriting.graph.value(output).shape)[1];
    rewriting.convolution(
        rewriting.node.inputs[0], output, {outputs, inputs, 1, 1},
        [&](std::span<float> weight) {
          for (std::int64_t c = 0; c < outputs; ++c)
            weight[static_cast<std::size_t>(c * inputs + first[i] + c)] = 1;
        },
        1.0 / static_cast<double>(inputs),
        std::vector<float>(static_cast<std::size_t>(outputs), 0.0f));
  }
}

std::string clipped_line_text(const Graph& graph, const Node& node) {
  if (node.op != "HardSigmoid" || image_shape(graph, node.inputs[0]).empty()) return "";
  return "a depthwise 1x1 convolution and a Clip to 0 and 1";
}

void make_clipped_line(Rewriting& rewriting) {
  const Shape in = image_shape(rewriting.graph, rewriting.node.inputs[0]);
  const auto channels = static_cast<std::size_t>(in[1]);
  const std::vector<float> factor(channels,
                                  static_cast<float>(attribute_or(rewriting.node, "alpha", 0.2))),
      offset(channels, static_cast<float>(attribute_or(rewriting.node, "beta", 0.5)));
  const std::uint32_t line = rewriting.result(in);
  scale_channels(rewriting, line, factor, offset);
  const auto number = [&](const char* role, float value) {
    return rewriting.constant(role, Tensor(DType::f32, {}, std::span<const float>(&value, 1)));
  };
  const std::uint32_t least = number("least", 0), most = number("most", 1);
  rewriting.add("Clip", 13, {line, least, most}, rewriting.node.outputs[0]);
}

std::string averaging_text(const Graph& graph, const Node& node) {
  const auto window = window_of(graph, node);
  if (!window) return "";
  return fmt::format("a depthwise {}x{} convolution with equal weights", window->kernel[0],
                     window->kernel[1]);
}

void make_averaging(Rewriting& rewriting) {
  const Window window = *window_of(rewriting.graph, rewriting.node);
  const std::int64_t channels = image_shape(rewriting.graph, rewriting.node.inputs[0])[1];
  const float share = 1.0f / static_cast<float>(window.kernel[0] * window.kernel[1]);
  Node& conv = rewriting.convolution(
      rewriting.node.inputs[0], rewriting.node.outputs[0],
      {channels, 1, window.kernel[0], window.kernel[1]},
      [&](std::span<float> weight) { std::fill(weight.begin(), weight.end(), share); }, 1,
      std::vector<float>(static_cast<std::size_t>(channels), 0.0f));
  conv.attributes["group"] = channels;
  conv.attributes["strides"] = window.strides;
  conv.attributes["pads"] = window.pads;
}

std::string multiplication_text(const Graph& graph, const Node& node) {
  if ((node.op != "Div" && node.op != "Sub") || !second_number(graph, node)) return "";
  if (node.op == "Div")
    return *second_number(graph, node) == 0 ? "" : "a Mul with the inverse of the constant";
  return "an Add of the negative constant";
}

void make_multiplication(Rewriting& rewriting) {
  const double old = *second_number(rewriting.graph, rewriting.node);
  const bool divides = rewriting.node.op == "Div";
  const auto number = static_cast<float>(divides ? 1 / old : -old);
  const std::uint32_t constant = rewriting.constant(
      "number",
      Tensor(DType::f32, rewriting.input(1).constant->shape(), std::span<const float>(&number, 1)));
  rewriting.add(divides ? "Mul" : "Add", 13, {rewriting.node.inputs[0], constant},
                rewriting.node.outputs[0]);
}

}  // namespace adze::host
