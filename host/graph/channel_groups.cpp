#include "host/graph/channel_groups.hpp"

#include <algorithm>
#include <map>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "host/graph/channel_rules.hpp"
#include "host/graph/evaluate_node.hpp"

namespace adze::host {

std::uint32_t ChannelTies::value_of(std::size_t operand) const {
  const auto& values = operand < kFirstOutput ? node_.inputs : node_.outputs;
  const std::size_t at = operand < kFirstOutput ? operand : operand - kFirstOutput;
  return at < values.size() ? values[at] : kNone;
}

const Shape* ChannelTies::shape(std::size_t operand) const {
  const std::uint32_t value = value_of(operand);
  if (value == kNone || !graph_.value(value).shape) return nullptr;
  return &*graph_.value(value).shape;
}

const Tensor* ChannelTies::constant(std::size_t operand) const {
  const std::uint32_t value = value_of(operand);
  if (value == kNone || !graph_.value(value).constant) return nullptr;
  return &*graph_.value(value).constant;
}

std::optional<std::vector<std::int64_t>> ChannelTies::integers(std::size_t operand) const {
  const Tensor* tensor = constant(operand);
  return tensor ? host::integers(*tensor) : std::nullopt;
}

void ChannelTies::tie(std::size_t a, std::size_t a_axis, std::int64_t a_first, std::size_t b,
                      std::size_t b_axis, std::int64_t b_first, std::int64_t count) {
  if (!atoms_.at(value_of(a), a_axis, 0) && !atoms_.at(value_of(b), b_axis, 0)) count = 0;
  for (std::int64_t i = 0; i < count; ++i)
    atoms_.unite(atoms_.at(value_of(a), a_axis, a_first + i),
                 atoms_.at(value_of(b), b_axis, b_first + i));
  tied_.insert({a, a_axis});
  tied_.insert({b, b_axis});
}

void ChannelTies::tie(std::size_t a, std::size_t a_axis, std::size_t b, std::size_t b_axis) {
  const std::int64_t size = shape(a)->at(a_axis);
  if (size == shape(b)->at(b_axis))
    tie(a, a_axis, 0, b, b_axis, 0, size);
  else
    keep(a, a_axis), keep(b, b_axis);
}

void ChannelTies::keep(std::size_t operand, std::size_t axis) {
  atoms_.keep(value_of(operand), axis, shape(operand)->at(axis));
}

void ChannelTies::role(std::size_t operand, std::size_t axis, ChannelRole role) {
  roles_[{operand, axis}] = role;
}

void ChannelTies::spells(std::size_t input, std::size_t element, std::size_t operand,
                         std::size_t axis, std::int64_t before) {
  sizes_.push_back({.node = node_index_,
                    .input = static_cast<std::uint32_t>(input),
                    .element = static_cast<std::uint32_t>(element),
                    .value = value_of(operand),
                    .axis = static_cast<std::uint32_t>(axis),
                    .before = before});
}

void ChannelTies::has_parts(std::size_t operand, std::size_t axis, std::size_t count) {
  parts_.push_back({value_of(operand), static_cast<std::uint32_t>(axis), count});
}

void ChannelTies::keep_what_is_not_tied(std::size_t operand) {
  const Shape* known = shape(operand);
  for (std::size_t axis = 0; known && axis < known->size(); ++axis)
    if (!tied_.contains({operand, axis})) keep(operand, axis);
}

void ChannelTies::apply(std::vector<ChannelMember>& members, std::vector<SpelledSize>& sizes) {
  if (!tie_channels(*this)) {
    tied_.clear();
    sizes_.clear();
  }
  for (std::size_t i = 0; i < inputs(); ++i) keep_what_is_not_tied(i);
  for (std::size_t i = 0; i < outputs(); ++i) keep_what_is_not_tied(output(i));
  for (const auto& [operand, axis] : tied_) {
    if (!constant(operand)) continue;
    const auto role = roles_.find({operand, axis});
    members.push_back({.value = value_of(operand),
                       .node = node_index_,
                       .axis = static_cast<std::uint32_t>(axis),
                       .role = role == roles_.end() ? ChannelRole::passes : role->second});
  }
  sizes.insert(sizes.end(), sizes_.begin(), sizes_.end());
}

namespace {

/// What leaves together, before it is known to be a channel.
struct Set {
  std::vector<ChannelPlace> places;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> entries;  // member, index; ascending
};

using Sets = std::vector<Set>;

Sets collect_sets(const Graph& graph, const ChannelAtoms& atoms,
                  const std::vector<ChannelMember>& members) {
  std::unordered_map<std::uint32_t, std::size_t> number_of;
  Sets sets;
  const auto for_each_index = [&](std::uint32_t value, std::uint32_t axis, auto&& use) {
    const std::int64_t size = graph.value(value).shape->at(axis);
    for (std::int64_t i = 0; i < size; ++i) {
      const std::uint32_t set = atoms.set_of(atoms.at(value, axis, i));
      if (set == 0) {
        if (atoms.at(value, axis, 0) == 0) return;  // an axis of any size without atoms
        continue;
      }
      const auto [at, added] = number_of.emplace(set, sets.size());
      if (added) sets.emplace_back();
      use(sets[at->second], static_cast<std::uint32_t>(i));
    }
  };
  for (std::uint32_t m = 0; m < members.size(); ++m)
    for_each_index(members[m].value, members[m].axis,
                   [&](Set& set, std::uint32_t i) { set.entries.emplace_back(m, i); });
  for (std::uint32_t value = 0; value < graph.values.size(); ++value) {
    const auto& shape = graph.values[value].shape;
    for (std::uint32_t axis = 0; shape && axis < shape->size(); ++axis)
      for_each_index(value, axis, [&](Set& set, std::uint32_t i) {
        set.places.push_back({value, axis, i});
      });
  }
  return sets;
}

/// Which members a set is part of, and how often: sets that agree in it are channels of one group.
using Signature = std::vector<std::pair<std::uint32_t, std::uint32_t>>;

Signature signature_of(const Set& set) {
  Signature signature;
  for (const auto& [member, index] : set.entries) {
    if (signature.empty() || signature.back().first != member) signature.emplace_back(member, 0);
    ++signature.back().second;
  }
  return signature;
}

/// The first member that computes the channels; kNone when none does, or a node that is no target.
std::uint32_t source_of(const Signature& signature, const std::vector<ChannelMember>& members,
                        const std::vector<std::uint32_t>& targets) {
  std::uint32_t first = kNone;
  for (const auto& [member, count] : signature) {
    if (members[member].role != ChannelRole::produces) continue;
    if (!std::ranges::binary_search(targets, members[member].node)) return kNone;
    if (first == kNone) first = member;
  }
  return first;
}

ChannelGroup make_group(const Signature& signature, std::vector<const Set*> sets,
                        std::uint32_t source, const std::vector<ChannelMember>& members) {
  const auto first_index = [&](const Set* set) {
    return std::ranges::lower_bound(set->entries, std::pair{source, 0u})->second;
  };
  std::ranges::sort(sets, {}, first_index);
  ChannelGroup group;
  for (const auto& [member, count] : signature) {
    group.members.push_back(members[member]);
    group.members.back().span = count;
  }
  for (const Set* set : sets) {
    std::size_t at = 0;
    for (const auto& [number, index] : set->entries) {
      while (signature[at].first != number) ++at;
      group.members[at].indices.push_back(index);
    }
    group.channels.push_back(set->places);
  }
  return group;
}

/// Part of each node that splits an axis, or makes one of several.
using PartOfNode = std::map<std::uint32_t, std::size_t>;

struct Stuck {
  std::size_t parts = 0;
  bool splits = false;  ///< one axis into several, not several into one
};

/// `stuck`: nodes with more parts than the one in `chosen`, no index of whose whole axis may leave;
/// each with its number of parts.
ChannelGroups find_with_parts(const Graph& graph, const std::vector<std::uint32_t>& targets,
                              const PartOfNode& chosen, std::map<std::uint32_t, Stuck>& stuck) {
  ChannelAtoms atoms(graph);
  const auto keep = [&](std::uint32_t value, std::size_t axis) {
    atoms.keep(value, axis, graph.value(value).shape->at(axis));
  };
  for (const auto* ends : {&graph.inputs, &graph.outputs})
    for (const std::uint32_t value : *ends)
      for (std::size_t axis = 0;
           graph.value(value).shape && axis < graph.value(value).shape->size(); ++axis)
        keep(value, axis);
  for (std::uint32_t value = 0; value < graph.values.size(); ++value)
    if (graph.values[value].batch_axis >= 0 && graph.values[value].shape)
      keep(value, static_cast<std::size_t>(graph.values[value].batch_axis));

  ChannelGroups found;
  std::vector<ChannelMember> members;
  std::vector<std::pair<std::uint32_t, ChannelTies::Parts>> split;
  for (std::uint32_t node = 0; node < graph.nodes.size(); ++node) {
    const auto part = chosen.find(node);
    ChannelTies ties(graph, node, atoms, part == chosen.end() ? 0 : part->second);
    ties.apply(members, found.sizes);
    for (const ChannelTies::Parts& parts : ties.parts()) split.emplace_back(node, parts);
  }
  for (const auto& [node, parts] : split)
    if (parts.count > 1 && atoms.set_of(atoms.at(parts.value, parts.axis, 0)) == 0)
      stuck[node] = {std::max(stuck[node].parts, parts.count),
                     graph.value(parts.value).producer != node};

  const Sets sets = collect_sets(graph, atoms, members);
  std::map<Signature, std::vector<const Set*>> by_signature;
  for (const Set& set : sets)
    if (!set.entries.empty()) by_signature[signature_of(set)].push_back(&set);
  // In the order of the node, then of the first index, that computes them.
  std::map<std::pair<std::uint32_t, std::uint32_t>, ChannelGroup> ordered;
  for (const auto& [signature, channels] : by_signature) {
    const std::uint32_t source = source_of(signature, members, targets);
    if (source == kNone || channels.size() < 2) continue;
    ChannelGroup group = make_group(signature, channels, source, members);
    const auto at = std::ranges::find_if(group.members, [&](const ChannelMember& member) {
      return member.role == ChannelRole::produces;
    });
    ordered.emplace(std::pair{source, at->indices.front()}, std::move(group));
  }
  for (auto& [place, group] : ordered) found.groups.push_back(std::move(group));
  return found;
}

std::size_t channel_count(const ChannelGroups& found) {
  std::size_t count = 0;
  for (const ChannelGroup& group : found.groups) count += group.channels.size();
  return count;
}

}  // namespace

ChannelGroups find_channel_groups(const Graph& graph, const std::vector<std::uint32_t>& targets) {
  PartOfNode chosen;
  std::map<std::uint32_t, Stuck> stuck;
  ChannelGroups found = find_with_parts(graph, targets, chosen, stuck);
  // Channels are the first part of an axis behind a Flatten, and in most other places. Where
  // nothing may leave so, they may be another one: in a shuffle, in queries, keys and values of
  // attention, in pictures with channels last.
  for (const std::size_t part : {1u, 2u})
    for (const auto& [splits, merges] : {std::pair{true, false}, {false, true}, {true, true}}) {
      PartOfNode other = chosen;
      for (const auto& [node, which] : stuck)
        if (part < which.parts && (which.splits ? splits : merges)) other[node] = part;
      if (other == chosen) continue;
      std::map<std::uint32_t, Stuck> still_stuck;
      ChannelGroups more = find_with_parts(graph, targets, other, still_stuck);
      if (channel_count(more) <= channel_count(found)) continue;
      found = std::move(more);
      chosen = std::move(other);
      stuck = std::move(still_stuck);
    }
  return found;
}

}  // namespace adze::host
