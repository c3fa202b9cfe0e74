// The grid of each activation, from what the calibration samples show.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "plugins/ptq/edited_model.hpp"
#include "plugins/ptq/options.hpp"

namespace ptq {

using Grids = std::map<std::uint32_t, Grid>;  ///< by value

/// For each of `values`, by the calibrator that the options name. `best` compares min/max, three
/// percentiles, entropy and mse by consumer_errors() for each value; on a tie the first of them.
/// Errors: those of the host.
Grids choose_grids(const EditedModel& model, const std::vector<std::uint32_t>& values,
                   const Options& options);

}  // namespace ptq
