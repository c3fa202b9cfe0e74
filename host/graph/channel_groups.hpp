// Which channels of a model can only leave together: those that layers, additions and
// concatenations tie to one another.
#pragma once

#include <cstdint>
#include <vector>

#include "host/graph/graph.hpp"

namespace adze::host {

enum class ChannelRole : std::uint8_t { produces = 1, consumes = 2, passes = 3 };  // adze_member

/// One axis of one constant that `node` uses. Channel c stands at indices[c * span] and the
/// span - 1 after it.
struct ChannelMember {
  std::uint32_t value = kNone, node = kNone, axis = 0, span = 1;
  ChannelRole role = ChannelRole::passes;
  std::vector<std::uint32_t> indices;
};

/// One index along one axis of a value, constant or not.
struct ChannelPlace {
  std::uint32_t value = kNone, axis = 0, index = 0;
};

struct ChannelGroup {
  std::vector<ChannelMember> members;  ///< in the order of nodes and their inputs
  /// By channel: everything that leaves with it, the members' entries among it.
  std::vector<std::vector<ChannelPlace>> channels;
};

/// An integer that spells the size of an axis, in a constant input of a node: a part of a Split, an
/// axis in the target of a Reshape; or an end of a Slice, which is the size up to there.
struct SpelledSize {
  std::uint32_t node = kNone, input = 0;  ///< `input`: the node's
  std::uint32_t element = 0;              ///< of the constant
  std::uint32_t value = kNone, axis = 0;  ///< whose size it is
  std::int64_t before = -1;               ///< only the indices before this one; -1: all
};

struct ChannelGroups {
  /// In the order of the nodes that compute them. The same for the same graph and targets.
  std::vector<ChannelGroup> groups;
  std::vector<SpelledSize> sizes;
};

/// Groups of two channels or more that nodes of `targets` (ascending) compute. Channels of the
/// model's inputs and outputs, those that a node computes which is no target, and those that meet
/// an operator without a rule in channel_rules.cpp are in none.
ChannelGroups find_channel_groups(const Graph& graph, const std::vector<std::uint32_t>& targets);

}  // namespace adze::host
