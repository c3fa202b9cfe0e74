#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "host/graph/evaluate_node.hpp"
#include "host/graph/rewrite_rules.hpp"

namespace adze::host {
namespace {

/// More than this many weights are not worth what they cost.
constexpr std::int64_t kMostWeights = std::int64_t{1} << 26;

struct Form {
  Shape weight;
  std::int64_t groups = 1;
};

/// A Conv with constant weight and bias and pads that are written down.
std::optional<Form> form_of(const Graph& graph, const Node& node) {
  if (node.op != "Conv" || attribute_or<std::string>(node, "auto_pad", "NOTSET") != "NOTSET")
    return std::nullopt;
  const Tensor* weight = constant_at(graph, node, 1, DType::f32);
  const Tensor* bias = constant_at(graph, node, 2, DType::f32);
  if (!weight || !bias || weight->shape().size() < 3 ||
      bias->shape() != Shape{weight->shape()[0]} || weight->count() == 0 ||
      !graph.value(node.inputs[1]).keep.empty())
    return std::nullopt;
  Form form{weight->shape(), attribute_or<std::int64_t>(node, "group", 1)};
  if (form.groups < 1 || form.weight[0] % form.groups != 0) return std::nullopt;
  return form;
}

std::vector<float> bias_of(const Rewriting& rewriting) {
  return to_f32(*rewriting.input(2).constant);
}

/// Of the old weight, whose shape may claim more than anyone should fill in.
std::vector<float> weight_of(const Rewriting& rewriting) {
  return rewriting.weights == Weights::exact ? to_f32(*rewriting.input(1).constant)
                                             : std::vector<float>();
}

void keep_attributes(const Rewriting& rewriting, Node& conv) {
  for (const auto& [name, value] : rewriting.node.attributes)
    if (name != "group" && name != "kernel_shape") conv.attributes[name] = value;
}

}  // namespace

std::string dense_text(const Graph& graph, const Node& node) {
  const auto form = form_of(graph, node);
  if (!form || form->groups < 2) return "";
  if (element_count(form->weight) > kMostWeights / form->groups) return "";
  return fmt::format(
      "one dense convolution with zeros outside its {} groups, {} times the products; the zeros "
      "cost no time where pruning saves time",
      form->groups, form->groups);
}

void make_dense(Rewriting& rewriting) {
  const Form form = *form_of(rewriting.graph, rewriting.node);
  Shape shape = form.weight;
  shape[1] *= form.groups;
  const std::vector<float> old = weight_of(rewriting);
  const auto taps = static_cast<std::size_t>(element_count(form.weight) / form.weight[0]);
  const auto per_group = static_cast<std::size_t>(form.weight[0] / form.groups),
             rows = static_cast<std::size_t>(form.weight[0]),
             groups = static_cast<std::size_t>(form.groups);
  const auto fill = [&](std::span<float> weight) {
    for (std::size_t row = 0; row < rows; ++row)
      std::copy_n(
          old.begin() + static_cast<std::ptrdiff_t>(row * taps), taps,
          weight.begin() + static_cast<std::ptrdiff_t>((row * groups + row / per_group) * taps));
  };
  Node& conv = rewriting.convolution(rewriting.node.inputs[0], rewriting.node.outputs[0], shape,
                                     fill, 1.0 / static_cast<double>(groups), bias_of(rewriting));
  keep_attributes(rewriting, conv);
}

std::string square_text(const Graph& graph, const Node& node) {
  const auto form = form_of(graph, node);
  if (!form || form->groups != 1 || form->weight.size() != 4 || form->weight[2] == form->weight[3])
    return "";
  const std::int64_t side = std::max(form->weight[2], form->weight[3]),
                     short_side = std::min(form->weight[2], form->weight[3]);
  if (form->weight[0] * form->weight[1] > kMostWeights / (side * side)) return "";
  return fmt::format(
      "a {0}x{0} kernel with zeros around the {1}x{2} one, {3:.3g} times the products; the zeros "
      "cost no time where pruning saves time",
      side, form->weight[2], form->weight[3],
      static_cast<double>(side) / static_cast<double>(short_side));
}

void make_square(Rewriting& rewriting) {
  const Form form = *form_of(rewriting.graph, rewriting.node);
  const std::int64_t height = form.weight[2], width = form.weight[3],
                     side = std::max(height, width);
  const std::int64_t above = (side - height) / 2, left = (side - width) / 2;
  const std::vector<float> old = weight_of(rewriting);
  const auto fill = [&](std::span<float> weight) {
    const std::int64_t kernels = form.weight[0] * form.weight[1];
    for (std::int64_t kernel = 0; kernel < kernels; ++kernel)
      for (std::int64_t y = 0; y < height; ++y)
        std::copy_n(old.begin() + (kernel * height + y) * width, width,
                    weight.begin() + (kernel * side + y + above) * side + left);
  };
  const double nonzero = static_cast<double>(height * width) / static_cast<double>(side * side);
  Node& conv = rewriting.convolution(rewriting.node.inputs[0], rewriting.node.outputs[0],
                                     {form.weight[0], form.weight[1], side, side}, fill, nonzero,
                                     bias_of(rewriting));
  keep_attributes(rewriting, conv);
  using Sizes = std::vector<std::int64_t>;
  const Sizes dilations = attribute_or(rewriting.node, "dilations", Sizes{1, 1});
  Sizes pads = attribute_or(rewriting.node, "pads", Sizes{0, 0, 0, 0});
  pads[0] += dilations[0] * above;
  pads[1] += dilations[1] * left;
  pads[2] += dilations[0] * (side - height - above);
  pads[3] += dilations[1] * (side - width - left);
  conv.attributes["pads"] = pads;
}

std::string two_dimensional_text(const Graph& graph, const Node& node) {
  const auto form = form_of(graph, node);
  if (!form || form->weight.size() != 3) return "";
  const auto &in = graph.value(node.inputs[0]).shape, &out = graph.value(node.outputs[0]).shape;
  if (!in || in->size() != 3 || !out || out->size() != 3) return "";
  return "a convolution of an image one pixel high";
}

void make_two_dimensional(Rewriting& rewriting) {
  using Sizes = std::vector<std::int64_t>;
  Shape in = *rewriting.input(0).shape,
        out = *rewriting.graph.value(rewriting.node.outputs[0]).shape,
        shape = form_of(rewriting.graph, rewriting.node)->weight;
  for (Shape* sizes : {&in, &out, &shape}) sizes->insert(sizes->begin() + 2, 1);
  const std::vector<float> old = weight_of(rewriting);
  const std::uint32_t axes = rewriting.constant("axes", vector_tensor({2}));
  const std::uint32_t flat = rewriting.result(in), made = rewriting.result(out);
  Node& conv = rewriting.convolution(
      flat, made, shape,
      [&](std::span<float> weight) { std::copy(old.begin(), old.end(), weight.begin()); }, 1,
      bias_of(rewriting));
  keep_attributes(rewriting, conv);
  conv.attributes["group"] = attribute_or<std::int64_t>(rewriting.node, "group", 1);
  for (const char* name : {"strides", "dilations"}) {
    Sizes sizes = attribute_or(rewriting.node, name, Sizes{1});
    sizes.insert(sizes.begin(), 1);
    conv.attributes[name] = sizes;
  }
  const Sizes pads = attribute_or(rewriting.node, "pads", Sizes{0, 0});
  conv.attributes["pads"] = Sizes{0, pads[0], 0, pads[1]};
  rewriting.add("Unsqueeze", 13, {rewriting.node.inputs[0], axes}, flat);
  rewriting.add("Squeeze", 13, {made, axes}, rewriting.node.outputs[0]);
}

const Tensor* constant_at(const Graph& graph, const Node& node, std::size_t input, DType dtype) {
  if (input >= node.inputs.size() || node.inputs[input] == kNone) return nullptr;
  const Value& value = graph.value(node.inputs[input]);
  return value.constant && value.dtype == dtype ? &*value.constant : nullptr;
}

Shape image_shape(const Graph& graph, std::uint32_t value) {
  if (value == kNone) return {};
  const auto& shape = graph.value(value).shape;
  if (!shape || shape->size() != 4 || graph.value(value).dtype != DType::f32 ||
      std::any_of(shape->begin(), shape->end(), [](std::int64_t size) { return size < 1; }))
    return {};
  return *shape;
}

}  // namespace adze::host
