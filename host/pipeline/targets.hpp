// Which nodes a stage may change: the host decides, the same way for every plugin.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "host/graph/graph.hpp"
#include "host/plugin/registry.hpp"

namespace adze::host {

/// A node that could be a target and is not.
struct Excluded {
  std::string node, reason;
};

struct Targets {
  std::vector<std::uint32_t> nodes;   ///< ascending
  std::vector<std::uint32_t> refits;  ///< ascending: stay dense, and may be corrected
  std::vector<Excluded> excluded;
};

/// Quantizers: every node. Pruners: every Conv, Gemm and MatMul with a constant weight, but, unless
/// `include` names them, not depthwise convolutions (few weights, and the refit has little to work
/// with), the first convolutions (no other between them and a model input) and the last layers (no
/// other between them and a model output). None of these is spared with `by_channels`, for pruners
/// that need adze.structure/1: where whole channels leave, a layer gets smaller, not sparse, and
/// the channels of inputs and outputs stay anyway. `include` and `exclude` are node names or globs
/// (*, ?,
/// [...]); with an `include` only what it matches is a target; `exclude` wins.
/// What is spared unasked may be corrected (`refits`) so that it makes up for what the others lose.
/// Errors: INVALID_ARGUMENT when a name or glob matches no node (with the nearest name), or when
/// nothing is left.
Targets choose_targets(const Graph& graph, ComponentKind kind,
                       const std::vector<std::string>& include,
                       const std::vector<std::string>& exclude, bool by_channels = false);

}  // namespace adze::host
