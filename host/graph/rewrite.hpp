// Nodes said differently, with operators that accelerators take: grouped convolutions as dense
// ones, pieces of a tensor as convolutions that choose channels. The results are those of the node,
// but for the rounding of floats.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "host/graph/graph.hpp"

namespace adze::host {

struct Rewrite {
  std::string kind;  ///< "dense_convolution", ...
  std::string text;  ///< for a person: what stands in the node's place
};

/// How `node` can be said differently; nullopt when no exact way is known. Nodes whose inputs or
/// outputs are quantized have none: their grids hold for what is there.
std::optional<Rewrite> find_rewrite(const Graph& graph, std::uint32_t node);

/// A layer that a rewrite made.
struct MadeLayer {
  std::string node;
  double sparsity = 0;  ///< zeros among its weights, also where the weights are only sketched
};

enum class Weights : std::uint8_t {
  exact,
  sketched,  ///< one value throughout, in no memory: for what only looks at shapes
};

/// Does what find_rewrite() says, and relinks. The result keeps the names of the node's outputs.
/// Errors: INVALID_ARGUMENT when there is no rewrite.
std::vector<MadeLayer> apply_rewrite(Graph& graph, std::uint32_t node, Weights weights);

}  // namespace adze::host
