// What each operator does to channels.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "host/graph/channel_atoms.hpp"
#include "host/graph/channel_groups.hpp"

namespace adze::host {

/// One node while its rule looks at it. Operand i is its input i; output(i) its output i. What a
/// rule does not tie stays as it is: no index of such an axis may leave.
class ChannelTies {
 public:
  /// `part`: of the axes that a Reshape splits one into, the one that counts channels; the last
  /// when there are fewer.
  ChannelTies(const Graph& graph, std::uint32_t node, ChannelAtoms& atoms, std::size_t part = 0)
      : graph_(graph), node_index_(node), node_(graph.nodes[node]), atoms_(atoms), part_(part) {}

  /// Applies the rule of the node's operator, or none. `members` and `sizes` get what it tells.
  void apply(std::vector<ChannelMember>& members, std::vector<SpelledSize>& sizes);

  const Node& node() const { return node_; }
  std::size_t part() const { return part_; }
  /// An axis of the operand is split into `count` parts, one of which was tied to it.
  void has_parts(std::size_t operand, std::size_t axis, std::size_t count);
  /// The axes that has_parts() was told.
  struct Parts {
    std::uint32_t value, axis;
    std::size_t count;
  };
  const std::vector<Parts>& parts() const { return parts_; }
  std::size_t inputs() const { return node_.inputs.size(); }
  std::size_t outputs() const { return node_.outputs.size(); }
  static std::size_t output(std::size_t i = 0) { return kFirstOutput + i; }
  bool has(std::size_t operand) const { return value_of(operand) != kNone; }
  /// nullptr for an operand that is left out or has no known rank.
  const Shape* shape(std::size_t operand) const;
  const Tensor* constant(std::size_t operand) const;
  /// The elements of a constant; nullopt when it is none, or not of integers.
  std::optional<std::vector<std::int64_t>> integers(std::size_t operand) const;

  /// `count` indices of one axis leave with those of another, which may be the same.
  void tie(std::size_t a, std::size_t a_axis, std::int64_t a_first, std::size_t b,
           std::size_t b_axis, std::int64_t b_first, std::int64_t count);
  /// Two whole axes of one size.
  void tie(std::size_t a, std::size_t a_axis, std::size_t b, std::size_t b_axis);
  /// No index of the axis may leave.
  void keep(std::size_t operand, std::size_t axis);
  /// What an axis of a constant is to the node; `passes` where a rule does not say.
  void role(std::size_t operand, std::size_t axis, ChannelRole role);
  /// Element `element` of constant input `input` is the size of that axis, or of its part before an
  /// index.
  void spells(std::size_t input, std::size_t element, std::size_t operand, std::size_t axis,
              std::int64_t before = -1);

 private:
  static constexpr std::size_t kFirstOutput = std::size_t{1} << 32;
  using Axis = std::pair<std::size_t, std::size_t>;  // operand, axis
  std::uint32_t value_of(std::size_t operand) const;
  void keep_what_is_not_tied(std::size_t operand);

  const Graph& graph_;
  std::uint32_t node_index_;
  const Node& node_;
  ChannelAtoms& atoms_;
  std::set<Axis> tied_;
  std::map<Axis, ChannelRole> roles_;
  std::vector<SpelledSize> sizes_;
  std::size_t part_;
  std::vector<Parts> parts_;
};

/// False when the operator has no rule, or not for this form of it.
bool tie_channels(ChannelTies& ties);

}  // namespace adze::host
