// The grids of weights.
#pragma once

#include <vector>

#include "plugins/ptq/edited_model.hpp"
#include "plugins/ptq/options.hpp"
#include "plugins/ptq/ranges.hpp"
#include "plugins/quantization/plan.hpp"

namespace ptq {

inline constexpr int kWeightBits = 8;

struct WeightGrid {
  WeightPlan plan;
  std::vector<float> scales;  ///< one, or one an output channel

  float scale_of_row(std::int64_t row) const {
    return scales[scales.size() == 1 ? 0 : static_cast<std::size_t>(row)];
  }
};

/// For each weight of the plan as edited. A bias so large against what it is added to that its 32
/// bits bound the scale of the weights is warned of.
std::vector<WeightGrid> weight_grids(const EditedModel& model, const Plan& plan,
                                     const Grids& activations, const Options& options);

}  // namespace ptq
