// How much the nodes that read a value answer differently when it is rounded: what the automatic
// calibrator goes by.
#pragma once

#include <adze/ext/calibration.h>

#include <cstdint>
#include <span>
#include <vector>

#include "plugins/ptq/edited_model.hpp"
#include "plugins/quantization/grid.hpp"

namespace ptq {

/// For each grid, the share of noise in what the readers of `value` compute from it, added up over
/// them. Clipping moves all inputs of a sum the same way while rounding errors cancel out in it, so
/// the error of the value itself would not do: the outputs of convolutions and matrix products are
/// computed at positions drawn by `seed`, from the value's `samples` (an ADZE_STAT_SAMPLES answer)
/// and the edited weights. For other readers it is the error of the value.
std::vector<double> consumer_errors(const EditedModel& model, std::uint32_t value,
                                    const adze_stat& samples, std::span<const Grid> grids, int bits,
                                    std::uint64_t seed);

}  // namespace ptq
