#include "host/graph/rewrite.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "host/base/error.hpp"
#include "host/graph/rewrite_rules.hpp"

namespace adze::host {
namespace {

constexpr RewriteRule kRules[] = {
    {"dense_convolution", dense_text, make_dense},
    {"square_kernel", square_text, make_square},
    {"two_dimensional", two_dimensional_text, make_two_dimensional},
    {"scaling_convolution", scaling_text, make_scaling},
    {"choosing_convolution", choosing_text, make_choosing},
    {"clipped_line", clipped_line_text, make_clipped_line},
    {"averaging_convolution", averaging_text, make_averaging},
    {"multiplication", multiplication_text, make_multiplication},
};

bool is_quantized(const Graph& graph, const Node& node) {
  const auto has_grid = [&](std::uint32_t value) {
    return value != kNone && graph.value(value).quant.has_value();
  };
  return std::any_of(node.inputs.begin(), node.inputs.end(), has_grid) ||
         std::any_of(node.outputs.begin(), node.outputs.end(), has_grid);
}

const RewriteRule* find_rule(const Graph& graph, const Node& node) {
  if (!node.domain.empty() || is_quantized(graph, node)) return nullptr;
  const auto found =
      std::find_if(std::begin(kRules), std::end(kRules),
                   [&](const RewriteRule& rule) { return !rule.text(graph, node).empty(); });
  return found == std::end(kRules) ? nullptr : found;
}

}  // namespace

std::optional<Rewrite> find_rewrite(const Graph& graph, std::uint32_t node) {
  const Node& one = graph.nodes.at(node);
  const RewriteRule* rule = find_rule(graph, one);
  if (!rule) return std::nullopt;
  return Rewrite{rule->kind, rule->text(graph, one)};
}

std::vector<MadeLayer> apply_rewrite(Graph& graph, std::uint32_t node, Weights weights) {
  const Node old = graph.nodes.at(node);
  const RewriteRule* rule = find_rule(graph, old);
  if (!rule)
    throw Error(ADZE_INVALID_ARGUMENT, fmt::format("no rewrite is known for node '{}'", old.name));
  Rewriting rewriting(graph, old, weights);
  rule->make(rewriting);
  graph.nodes.erase(graph.nodes.begin() + node);
  graph.relink();
  return rewriting.made;
}

Rewriting::Rewriting(Graph& changed, const Node& replaced, Weights how)
    : graph(changed), node(replaced), weights(how), names_(changed) {}

const Value& Rewriting::input(std::size_t index) const { return graph.value(node.inputs[index]); }

std::uint32_t Rewriting::constant(const char* role, Tensor contents) {
  Value value;
  value.name = names_.value(node.name + "/" + role);
  value.dtype = contents.dtype();
  value.shape = contents.shape();
  value.constant = std::move(contents);
  graph.values.push_back(std::move(value));
  return static_cast<std::uint32_t>(graph.values.size() - 1);
}

std::uint32_t Rewriting::result(Shape shape) {
  Value value;
  value.name = names_.value(node.name + "/part");
  value.shape = std::move(shape);
  value.batch_axis = graph.value(node.inputs[0]).batch_axis;
  graph.values.push_back(std::move(value));
  return static_cast<std::uint32_t>(graph.values.size() - 1);
}

Node& Rewriting::add(const char* op, std::uint32_t version, std::vector<std::uint32_t> inputs,
                     std::uint32_t output) {
  Node added;
  added.op = op;
  // The first node has the name of the one that it stands for.
  const bool first = std::exchange(first_, false);
  added.name = first ? node.name : names_.node(node.name + "/" + op);
  added.op_version = version;
  added.inputs = std::move(inputs);
  added.outputs = {output};
  graph.nodes.push_back(std::move(added));
  return graph.nodes.back();
}

Node& Rewriting::convolution(std::uint32_t from, std::uint32_t to, const Shape& shape,
                             const WeightAt& weight_at, double nonzero,
                             std::span<const float> bias) {
  Tensor contents = Tensor::uniform(DType::f32, shape, 1);
  if (weights == Weights::exact) {
    contents = Tensor(DType::f32, shape);
    weight_at(contents.mutate<float>());
  }
  const std::uint32_t weight = constant("weight", std::move(contents)),
                      offset = constant("bias", Tensor(DType::f32, {shape[0]}, bias));
  Node& conv = add("Conv", 11, {from, weight, offset}, to);
  conv.attributes["kernel_shape"] = std::vector<std::int64_t>(shape.begin() + 2, shape.end());
  made.push_back({conv.name, 1 - nonzero});
  return conv;
}

}  // namespace adze::host
