// The sum at the end of a residual block, as the last layer before it sees it.
#pragma once

#include <adze/adze.hpp>
#include <cstdint>
#include <optional>

namespace pruning {

/// The sum that a layer's answer goes into alone, and the rest of it, which is final when layers
/// are fitted in the order data reaches them: the layer can make up for what the rest has lost.
struct Residual {
  std::uint32_t sum = ADZE_NONE, rest = ADZE_NONE;
};

std::optional<Residual> residual_of(const adze_graph& graph, std::uint32_t node);

}  // namespace pruning
