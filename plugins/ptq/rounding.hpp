// Adaptive rounding of weights: as float constants that lie on the grids.
#pragma once

#include <span>

#include "plugins/ptq/edited_model.hpp"
#include "plugins/ptq/options.hpp"
#include "plugins/ptq/weights.hpp"

namespace ptq {

/// Changes weights of layers so that their rounding errors cancel out in the layer's outputs
/// (round_row()); pruned weights stay exactly zero. `adaptive`: every layer whose moments fit into
/// memory. `automatic`: those whose weights lose most by rounding to the nearest. Kept for a layer
/// where its error falls on samples that were not fitted to. The model must not be quantized yet.
/// Returns how many layers were changed.
std::size_t round_adaptively(EditedModel& model, std::span<const WeightGrid> grids,
                             const Options& options);

}  // namespace ptq
