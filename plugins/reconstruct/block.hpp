// Which value a layer answers for, and in what order layers can be looked at.
#pragma once

#include <adze/adze.hpp>
#include <cstdint>
#include <span>
#include <vector>

#include "plugins/pruning/layer.hpp"

namespace reconstruct {

/// The last convolution before the sum of a residual block answers for that sum: it can make up for
/// what the skipping branch has lost, too.
struct BlockOutput {
  std::uint32_t value = 0;         ///< the layer's output, or the sum
  std::uint32_t skip = ADZE_NONE;  ///< what is added; computed before the layer
};

BlockOutput block_output_of(const adze_graph& graph, std::uint32_t node);

/// The value that a rising function of slope at most 1 (Relu, Clip, ...) makes of each element of
/// `value`, when nothing else reads that; ADZE_NONE otherwise.
std::uint32_t activation_of(const adze_graph& graph, std::uint32_t value);

/// Layers in passes over the samples: those of one pass do not read what another of them computes.
/// When there are more than `most` passes, neighbours are joined, of which the later layers then
/// see less of what the earlier ones have lost. Indices into `layers`.
std::vector<std::vector<std::size_t>> passes_of(const adze_graph& graph,
                                                std::span<const pruning::Layer> layers,
                                                std::size_t most);

/// Multiplications and additions of a layer for one sample; 0 when its shape is not known.
double operations_of(const adze_graph& graph, const pruning::Layer& layer);
/// Columns that one sample's unfolded input has; 1 when its shape is not known.
double positions_of(const adze_graph& graph, const pruning::Layer& layer);

}  // namespace reconstruct
