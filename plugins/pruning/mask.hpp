// Which weights of a layer stay.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "plugins/pruning/layer.hpp"
#include "plugins/pruning/pattern.hpp"

namespace pruning {

/// Keeps the highest `scores` (one a weight, >= 0, in the weight's order in memory), of equals the
/// one that comes first in memory. Unstructured: exactly round(sparsity * count) weights leave.
/// N:M: at most N stay in each group; a last, smaller group keeps its share, rounded down but at
/// least one. Blocks: round(sparsity * blocks) of them leave, those whose weights have the lowest
/// mean score. Weights with `earlier` 0 (empty: none) leave first, and always. Errors: adze::Error
/// INVALID_ARGUMENT when the layer has too few channels for the pattern.
std::vector<std::uint8_t> choose_mask(const Layer& layer, const Goal& goal,
                                      std::span<const double> scores,
                                      std::span<const std::uint8_t> earlier);

}  // namespace pruning
