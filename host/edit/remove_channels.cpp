#include "host/edit/remove_channels.hpp"

#include <algorithm>
#include <cstring>
#include <optional>
#include <set>
#include <span>
#include <utility>

#include "host/base/error.hpp"
#include "host/graph/edit_graph.hpp"
#include "host/graph/evaluate_node.hpp"
#include "host/graph/pattern.hpp"

namespace adze::host {
namespace {

using Axis = std::pair<std::uint32_t, std::uint32_t>;  // value, axis
using Removed = std::map<Axis, std::set<std::uint32_t>>;

/// Copies all indices of `axis` but the removed ones. `sizes`: the shape before; elements of
/// `element_bytes`.
void copy_rest(const std::byte* from, std::byte* to, const Shape& sizes, std::size_t axis,
               const std::set<std::uint32_t>& removed, std::size_t element_bytes) {
  std::size_t rows = 1, block_bytes = element_bytes;
  for (std::size_t i = 0; i < axis; ++i) rows *= static_cast<std::size_t>(sizes[i]);
  for (std::size_t i = axis + 1; i < sizes.size(); ++i)
    block_bytes *= static_cast<std::size_t>(sizes[i]);
  for (std::size_t row = 0; row < rows; ++row)
    for (std::uint32_t index = 0; index < sizes[axis]; ++index, from += block_bytes) {
      if (removed.contains(index)) continue;
      std::memcpy(to, from, block_bytes);
      to += block_bytes;
    }
}

Tensor without(const Tensor& tensor, std::size_t axis, const std::set<std::uint32_t>& removed) {
  Shape shape = tensor.shape();
  shape[axis] -= static_cast<std::int64_t>(removed.size());
  if (tensor.is_uniform())
    if (auto smaller = uniform_like(tensor, shape)) return *std::move(smaller);
  Tensor rest(tensor.dtype(), shape);
  copy_rest(tensor.bytes().data(), rest.mutate_bytes().data(), tensor.shape(), axis, removed,
            info(tensor.dtype()).bits / 8u);
  return rest;
}

template <class T>
void erase_indices(std::vector<T>& elements, const std::set<std::uint32_t>& removed) {
  std::uint32_t index = 0;
  std::erase_if(elements, [&](const T&) { return removed.contains(index++); });
}

void cut(Value& value, std::uint32_t axis, const std::set<std::uint32_t>& removed) {
  if (!value.keep.empty()) {
    const Shape& shape = value.constant->shape();
    std::vector<std::uint8_t> rest(value.keep.size() / static_cast<std::size_t>(shape[axis]) *
                                   (static_cast<std::size_t>(shape[axis]) - removed.size()));
    copy_rest(reinterpret_cast<const std::byte*>(value.keep.data()),
              reinterpret_cast<std::byte*>(rest.data()), shape, axis, removed, 1);
    value.keep = std::move(rest);
  }
  if (value.constant) value.constant = without(*value.constant, axis, removed);
  (*value.shape)[axis] -= static_cast<std::int64_t>(removed.size());
  if (value.quant && value.quant->axis == static_cast<std::int32_t>(axis)) {
    erase_indices(value.quant->scale, removed);
    erase_indices(value.quant->zero_point, removed);
  }
}

/// What was 4 of 16 may stand closer together now.
void give_up_broken_patterns(Graph& graph, const Removed& removed) {
  for (const auto& [axis, indices] : removed) {
    Value& value = graph.values[axis.first];
    const std::optional<Pattern> pattern = parse_pattern(value.pattern);
    if (!pattern || value.keep.empty()) continue;
    for (const std::uint32_t reader : value.consumers) {
      const auto check = check_pattern(graph, graph.nodes[reader], *pattern, value.keep);
      if (check && check->violated) value.pattern = "unstructured";
    }
  }
}

void set_groups(Graph& graph, const Removed& removed, const Graph& before) {
  for (Node& node : graph.nodes) {
    if (node.op != "Conv" && node.op != "ConvTranspose") continue;
    const auto groups = attribute_or<std::int64_t>(node, "group", 1);
    const auto weight = removed.find({node.inputs[1], 0});
    if (groups == 1 || weight == removed.end()) continue;
    const std::int64_t rows = before.value(node.inputs[1]).shape->at(0) / groups;
    node.attributes["group"] = groups - static_cast<std::int64_t>(weight->second.size()) / rows;
  }
}

/// The constant that `node` alone reads as its input `input`, to be changed.
Value& own_constant(Graph& graph, FreshNames& names, std::uint32_t node, std::uint32_t input) {
  std::uint32_t& used = graph.nodes[node].inputs[input];
  const bool once = std::ranges::count(graph.nodes[node].inputs, used) == 1;
  if (once && graph.value(used).consumers.size() == 1 && !is_output(graph, used))
    return graph.values[used];
  Value copy = graph.value(used);
  if (once) std::erase(graph.values[used].consumers, node);
  copy.name = names.value(copy.name);
  copy.consumers = {node};
  used = static_cast<std::uint32_t>(graph.values.size());
  return graph.values.emplace_back(std::move(copy));
}

void spell_sizes(Graph& graph, const std::vector<SpelledSize>& sizes, const Removed& removed) {
  std::optional<FreshNames> names;
  for (const SpelledSize& size : sizes) {
    if (!removed.contains({size.value, size.axis})) continue;
    if (!names) names.emplace(graph);
    Value& value = own_constant(graph, *names, size.node, size.input);
    const auto& gone = removed.at({size.value, size.axis});
    const std::int64_t now =
        size.before < 0
            ? graph.value(size.value).shape->at(size.axis)
            : size.before -
                  std::distance(gone.begin(),
                                gone.lower_bound(static_cast<std::uint32_t>(size.before)));
    if (value.constant->dtype() == DType::i32)
      value.constant->mutate<std::int32_t>()[size.element] = static_cast<std::int32_t>(now);
    else
      value.constant->mutate<std::int64_t>()[size.element] = now;
  }
}

}  // namespace

void remove_channels(Graph& graph, const ChannelGroups& groups,
                     const std::map<std::uint32_t, std::vector<std::uint32_t>>& removed) {
  Removed by_axis;
  for (const auto& [group, channels] : removed)
    for (const std::uint32_t channel : channels)
      for (const ChannelPlace& place : groups.groups.at(group).channels.at(channel))
        by_axis[{place.value, place.axis}].insert(place.index);
  const Graph before = graph;
  for (const auto& [axis, indices] : by_axis) cut(graph.values[axis.first], axis.second, indices);
  give_up_broken_patterns(graph, by_axis);
  set_groups(graph, by_axis, before);
  spell_sizes(graph, groups.sizes, by_axis);
}

}  // namespace adze::host
