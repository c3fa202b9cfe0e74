// BatchNormalization in inference, as the line it is.
#pragma once

#include <optional>
#include <vector>

#include "host/graph/graph.hpp"

namespace adze::host {

/// y = factor * x + offset, per channel.
struct Affine {
  std::vector<double> factor, offset;
};

/// nullopt: no BatchNormalization, one in training, or its numbers are not known.
std::optional<Affine> affine_of(const Graph& graph, const Node& node);

}  // namespace adze::host
