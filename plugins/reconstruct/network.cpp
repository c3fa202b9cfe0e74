#include "plugins/reconstruct/network.hpp"

#include <algorithm>
#include <string_view>

#include "plugins/reconstruct/network_operators.hpp"

namespace reconstruct {
namespace {

Extent extent_of(const adze_value& value) {
  const auto size = [&](std::int32_t axis) { return std::max<std::int64_t>(value.shape[axis], 0); };
  if (value.batch_axis != 0 || value.constant) return {};
  if (value.rank == 4) return {size(2), size(3), size(1)};
  if (value.rank == 2) return {1, 1, size(1)};
  return {};
}

bool is_one_of(std::string_view op, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), op) != names.end();
}

}  // namespace

Network::Network(const adze_graph& graph)
    : extents_(graph.value_count),
      inputs_(graph.inputs, graph.inputs + graph.input_count),
      needs_gradient_(graph.value_count, true),
      order_(graph.value_count) {
  for (const std::uint32_t input : inputs_)
    if (graph.values[input]->code == ADZE_FLOAT) extents_[input] = extent_of(*graph.values[input]);
  for (std::uint32_t n = 0; n < graph.node_count; ++n) add_node(graph, *graph.nodes[n]);
}

void Network::add_node(const adze_graph& graph, const adze_node& node) {
  const std::string_view op = node.op;
  if (*node.domain || node.input_count == 0 || node.inputs[0] == ADZE_NONE) return;
  std::vector<Extent> inputs;
  for (std::uint32_t i = 0; i < node.input_count; ++i)
    inputs.push_back(node.inputs[i] == ADZE_NONE ? Extent{} : extents_[node.inputs[i]]);
  if (inputs[0].channels == 0) return;
  MadeOperator found;
  if (is_one_of(op, {"Conv", "Gemm", "MatMul"}))
    found = linear_operator(graph, node, inputs[0]);
  else if (is_one_of(op, {"Add", "Mul", "Concat"}))
    found = joining_operator(node, inputs);
  else if (is_one_of(op, {"MaxPool", "AveragePool", "GlobalAveragePool"}))
    found = pooling_operator(node, inputs[0]);
  else if (is_one_of(op, {"Flatten", "Reshape", "Squeeze"}))
    found = shape_operator(graph, node, inputs[0]);
  else
    found = function_operator(graph, node, inputs[0]);
  if (!found.made) return;
  // What was understood of the node must be what the host says of its output.
  const Extent shown = extent_of(*graph.values[node.outputs[0]]);
  if (shown.height != found.extent.height || shown.width != found.extent.width ||
      shown.channels != found.extent.channels)
    return;
  if (found.made->inputs.empty()) found.made->inputs = {node.inputs[0]};
  found.made->output = node.outputs[0];
  if (!found.made->parameters.empty())
    order_[found.made->parameters[0]] = std::move(found.weight_order);
  extents_[node.outputs[0]] = found.extent;
  operators_.push_back(std::move(found.made));
}

void Network::restrict_to(std::span<const std::uint32_t> values,
                          std::span<const std::uint32_t> tuned) {
  std::vector<bool> wanted(extents_.size(), false);
  for (const std::uint32_t value : values) wanted[value] = true;
  for (auto at = operators_.rbegin(); at != operators_.rend(); ++at)
    if (wanted[(*at)->output])
      for (const std::uint32_t input : (*at)->inputs) wanted[input] = true;
  std::erase_if(operators_, [&](const auto& one) { return !wanted[one->output]; });
  std::erase_if(inputs_, [&](std::uint32_t input) { return !wanted[input]; });
  std::vector<bool> changes(extents_.size(), false);
  for (const std::uint32_t parameter : tuned) changes[parameter] = true;
  for (const auto& one : operators_)
    changes[one->output] = std::any_of(one->inputs.begin(), one->inputs.end(),
                                       [&](std::uint32_t v) { return changes[v]; }) ||
                           std::any_of(one->parameters.begin(), one->parameters.end(),
                                       [&](std::uint32_t v) { return changes[v]; });
  needs_gradient_ = std::move(changes);
}

std::vector<std::uint32_t> Network::parameters() const {
  std::vector<std::uint32_t> all;
  for (const auto& one : operators_)
    all.insert(all.end(), one->parameters.begin(), one->parameters.end());
  return all;
}

double Network::operations() const {
  double sum = 0;
  for (const auto& one : operators_) sum += one->operations();
  return sum;
}

double Network::activation_elements() const {
  double sum = 0;
  for (const auto& one : operators_) sum += static_cast<double>(extents_[one->output].size());
  return sum;
}

std::vector<float> Network::stored(std::uint32_t parameter, std::span<const float> ordered) const {
  const std::vector<std::uint32_t>& order = order_[parameter];
  std::vector<float> made(ordered.size());
  for (std::size_t i = 0; i < made.size(); ++i) made[order.empty() ? i : order[i]] = ordered[i];
  return made;
}

Workspace Network::workspace(std::int64_t samples, bool differentiates) const {
  Workspace work;
  const std::size_t count = extents_.size();
  work.values.resize(count);
  work.gradients.resize(count);
  work.parameter_gradients.resize(count);
  const auto room = [&](ByValue& values, std::uint32_t value) {
    values[value].resize(static_cast<std::size_t>(samples * extents_[value].size()));
  };
  for (const std::uint32_t input : inputs_) room(work.values, input);
  for (const auto& one : operators_) {
    room(work.values, one->output);
    if (differentiates && needs_gradient_[one->output]) room(work.gradients, one->output);
  }
  return work;
}

void Network::forward(std::int64_t samples, const ByValue& parameters, Workspace& work) const {
  const Pass pass{samples, &parameters, &work};
  for (const auto& one : operators_) one->forward(pass);
}

void Network::backward(std::int64_t samples, const ByValue& parameters, Workspace& work) const {
  const Pass pass{samples, &parameters, &work};
  for (auto at = operators_.rbegin(); at != operators_.rend(); ++at)
    if (!work.gradients[(*at)->output].empty()) (*at)->backward(pass);
}

void Network::clear_gradients(Workspace& work) const {
  for (auto& gradient : work.gradients) std::fill(gradient.begin(), gradient.end(), 0.0f);
  for (auto& gradient : work.parameter_gradients) std::fill(gradient.begin(), gradient.end(), 0.0f);
}

}  // namespace reconstruct
