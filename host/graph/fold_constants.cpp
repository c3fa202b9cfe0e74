#include <algorithm>
#include <array>
#include <cmath>

#include "host/graph/edit_graph.hpp"
#include "host/graph/evaluate_node.hpp"
#include "host/graph/simplify.hpp"

namespace adze::host {
namespace {

// What a value holds for a batch of one and of two. Where they are the same, it is a constant;
// where they differ, the difference shows where the batch goes.
struct Known {
  std::array<Tensor, 2> at_batch;
  bool varies = false;
};
using KnownValues = std::vector<std::optional<Known>>;

bool same(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() &&
         std::equal(a.bytes().begin(), a.bytes().end(), b.bytes().begin());
}

bool is_concrete(const Value& value) {
  return value.shape && std::none_of(value.shape->begin(), value.shape->end(),
                                     [](std::int64_t size) { return size < 0; });
}

std::optional<Known> known_shape(const Graph& graph, const Node& node) {
  if (node.inputs.empty() || node.inputs[0] == kNone) return std::nullopt;
  const Value& value = graph.value(node.inputs[0]);
  if (!is_concrete(value)) return std::nullopt;
  Known known;
  for (int batch = 1; batch <= 2; ++batch) {
    Shape shape = *value.shape;
    if (value.batch_axis >= 0) shape[static_cast<std::size_t>(value.batch_axis)] *= batch;
    Tensor& result = known.at_batch[static_cast<std::size_t>(batch - 1)];
    if (node.op == "Size") {
      const std::int64_t count = element_count(shape);
      result = Tensor(DType::i64, {}, std::span<const std::int64_t>(&count, 1));
      continue;
    }
    const auto rank = static_cast<std::int64_t>(shape.size());
    const auto bound = [&](const char* name, std::int64_t fallback) {
      const std::int64_t at = attribute_or(node, name, fallback);
      return std::clamp<std::int64_t>(at < 0 ? at + rank : at, 0, rank);
    };
    const std::int64_t start = bound("start", 0), end = bound("end", rank);
    result = start < end ? vector_tensor({shape.begin() + start, shape.begin() + end})
                         : vector_tensor({});
  }
  known.varies = !same(known.at_batch[0], known.at_batch[1]);
  return known;
}

std::optional<std::vector<Known>> known_results(const Graph& graph, const Node& node,
                                                const KnownValues& values) {
  if (node.domain.empty() && (node.op == "Shape" || node.op == "Size")) {
    auto shape = known_shape(graph, node);
    if (!shape) return std::nullopt;
    return std::vector<Known>{std::move(*shape)};
  }
  bool varies = false;
  std::array<std::vector<const Tensor*>, 2> inputs;
  for (const std::uint32_t input : node.inputs) {
    if (input != kNone && !values[input]) return std::nullopt;
    for (std::size_t batch = 0; batch < 2; ++batch)
      inputs[batch].push_back(input == kNone ? nullptr : &values[input]->at_batch[batch]);
    varies = varies || (input != kNone && values[input]->varies);
  }
  if (inputs[0].empty()) return std::nullopt;
  const auto first = evaluate_node(node, inputs[0]);
  const auto second = varies ? evaluate_node(node, inputs[1]) : first;
  if (!first || !second || first->size() != second->size()) return std::nullopt;
  std::vector<Known> results;
  for (std::size_t i = 0; i < first->size(); ++i)
    results.push_back({{(*first)[i], (*second)[i]}, varies && !same((*first)[i], (*second)[i])});
  return results;
}

// The one index where two vectors of one length differ; nullopt when none or several do.
std::optional<std::size_t> only_difference(const std::vector<std::int64_t>& a,
                                           const std::vector<std::int64_t>& b) {
  if (a.size() != b.size()) return std::nullopt;
  std::optional<std::size_t> found;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] == b[i]) continue;
    if (found) return std::nullopt;
    found = i;
  }
  return found;
}

std::uint32_t add_constant(Graph& graph, FreshNames& names, const std::string& name,
                           Tensor contents) {
  Value value;
  value.name = names.value(name);
  value.dtype = contents.dtype();
  value.shape = contents.shape();
  value.constant = std::move(contents);
  graph.values.push_back(std::move(value));
  return static_cast<std::uint32_t>(graph.values.size() - 1);
}

// A target shape that depends on the batch in one place is written without the batch: there the
// size is copied from the input, or left to be inferred.
void free_reshape_of_batch(Graph& graph, FreshNames& names, Node& node, const Known& target) {
  const auto one = integers(target.at_batch[0]), two = integers(target.at_batch[1]);
  if (!one || !two) return;
  const auto at = only_difference(*one, *two);
  if (!at) return;
  const Value& input = graph.value(node.inputs[0]);
  const bool zero_copies = attribute_or<std::int64_t>(node, "allowzero", 0) == 0;
  const bool copies_batch = zero_copies && input.batch_axis == static_cast<std::int32_t>(*at) &&
                            input.shape && *at < input.shape->size() &&
                            (*input.shape)[*at] == (*one)[*at] && (*two)[*at] == 2 * (*one)[*at];
  std::vector<std::int64_t> freed = *one;
  if (copies_batch) {
    freed[*at] = 0;
    if (*at == 0 && freed.size() == 2) {
      node.op = "Flatten";
      node.op_version = 13;
      node.inputs.resize(1);
      node.attributes.clear();
      node.attributes["axis"] = std::int64_t{1};
      return;
    }
  } else if (std::find(freed.begin(), freed.end(), -1) == freed.end()) {
    freed[*at] = -1;
  } else {
    return;
  }
  node.inputs[1] = add_constant(graph, names, node.name + "/shape", vector_tensor(freed));
}

// Expand never shrinks: where the input already has the batch, the target may say 1.
void free_expand_of_batch(Graph& graph, FreshNames& names, Node& node, const Known& target) {
  const auto one = integers(target.at_batch[0]), two = integers(target.at_batch[1]);
  const Value& input = graph.value(node.inputs[0]);
  if (!one || !two || !input.shape || input.batch_axis < 0) return;
  const auto at = only_difference(*one, *two);
  if (!at) return;
  const auto from_back = one->size() - *at;
  if (from_back > input.shape->size() ||
      input.shape->size() - from_back != static_cast<std::size_t>(input.batch_axis) ||
      (*input.shape)[input.shape->size() - from_back] != (*one)[*at])
    return;
  std::vector<std::int64_t> freed = *one;
  freed[*at] = 1;
  node.inputs[1] = add_constant(graph, names, node.name + "/shape", vector_tensor(freed));
}

// Sizes that only repeat the batch become scales.
void free_resize_of_batch(Graph& graph, FreshNames& names, Node& node, const Known& target) {
  const auto one = integers(target.at_batch[0]), two = integers(target.at_batch[1]);
  const Value& input = graph.value(node.inputs[0]);
  if (!one || !two || !is_concrete(input) || input.shape->size() != one->size() ||
      input.batch_axis < 0)
    return;
  const auto at = only_difference(*one, *two);
  if (!at || *at != static_cast<std::size_t>(input.batch_axis) ||
      (*input.shape)[*at] != (*one)[*at])
    return;
  std::vector<float> scales;
  for (std::size_t i = 0; i < one->size(); ++i) {
    const auto from = static_cast<float>((*input.shape)[i]);
    scales.push_back(static_cast<float>((*one)[i]) / from);
    // With scales, the operator computes the size itself and rounds down.
    if (static_cast<std::int64_t>(std::floor(from * scales.back())) != (*one)[i]) return;
  }
  node.inputs.resize(3);
  node.inputs[2] = add_constant(graph, names, node.name + "/scales",
                                Tensor(DType::f32, {static_cast<std::int64_t>(scales.size())},
                                       std::span<const float>(scales)));
}

// What gives `node` the shape of its result, when that depends on the batch.
std::optional<Known> batched_target(const Node& node, const KnownValues& known) {
  const std::size_t input = node.op == "Resize" ? 3 : 1;
  const bool shaped = node.op == "Resize" || node.op == "Reshape" || node.op == "Expand";
  if (!shaped || !node.domain.empty() || node.inputs.size() != input + 1 ||
      node.inputs[0] == kNone || node.inputs[input] == kNone)
    return std::nullopt;
  const auto& target = known[node.inputs[input]];
  return target && target->varies ? target : std::nullopt;
}

}  // namespace

void fold_constants(Graph& graph) {
  graph.relink();
  FreshNames names(graph);
  KnownValues known(graph.values.size());
  for (std::size_t v = 0; v < graph.values.size(); ++v)
    if (const auto& constant = graph.values[v].constant)
      known[v] = Known{{*constant, *constant}, false};
  std::vector<bool> leaves(graph.nodes.size());
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    Node& node = graph.nodes[n];
    const bool feeds_output = std::any_of(node.outputs.begin(), node.outputs.end(), [&](auto v) {
      return v != kNone && is_output(graph, v);
    });
    if (auto results = known_results(graph, node, known)) {
      bool all_constant = !feeds_output;
      for (std::size_t i = 0; i < results->size() && i < node.outputs.size(); ++i) {
        if (node.outputs[i] == kNone) continue;
        all_constant = all_constant && !(*results)[i].varies;
        known[node.outputs[i]] = (*results)[i];
      }
      if (!all_constant) continue;
      for (const std::uint32_t output : node.outputs) {
        if (output == kNone) continue;
        Value& value = graph.values[output];
        value.constant = known[output]->at_batch[0];
        value.dtype = value.constant->dtype();
        value.shape = value.constant->shape();
        value.batch_axis = -1;
      }
      leaves[n] = true;
    } else if (const auto target = batched_target(node, known)) {
      if (node.op == "Reshape") free_reshape_of_batch(graph, names, node, *target);
      if (node.op == "Expand") free_expand_of_batch(graph, names, node, *target);
      if (node.op == "Resize") free_resize_of_batch(graph, names, node, *target);
      known.resize(graph.values.size());
    }
  }
  remove_nodes(graph, std::move(leaves));
  graph.relink();
}

}  // namespace adze::host
