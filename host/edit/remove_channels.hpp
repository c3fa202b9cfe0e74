// Takes channels out of everything they pass: constants, masks, quantization, shapes.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "host/graph/channel_groups.hpp"
#include "host/graph/graph.hpp"

namespace adze::host {

/// `removed`: group -> channels, ascending, fewer than it has. `groups` are those of `graph` as it
/// is. Constants that spell sizes get the new ones, a convolution in groups fewer groups. Nodes and
/// values keep their indices; a spelled size that another node reads too becomes a value of its
/// own, behind the others.
void remove_channels(Graph& graph, const ChannelGroups& groups,
                     const std::map<std::uint32_t, std::vector<std::uint32_t>>& removed);

}  // namespace adze::host
