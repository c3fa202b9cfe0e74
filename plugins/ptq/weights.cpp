#include "plugins/ptq/weights.hpp"

#include <algorithm>
#include <cmath>

#include "plugins/ptq/channels.hpp"

namespace ptq {
namespace {

/// Coarser than needed by so much, and the weights of a channel lose accuracy that shows.
constexpr double kTooCoarse = 2;

void warn_of_coarse_weights(const EditedModel& model, const WeightPlan& plan,
                            const std::vector<double>& magnitudes,
                            const std::vector<float>& scales) {
  std::size_t coarse = 0;
  for (std::size_t c = 0; c < magnitudes.size(); ++c) {
    const double wanted = magnitudes[c] / 127;
    const double given = static_cast<double>(scales[scales.size() == 1 ? 0 : c]);
    coarse += magnitudes[c] > 0 && scales.size() > 1 && given > kTooCoarse * wanted;
  }
  if (coarse > 0)
    model.log(ADZE_LOG_WARNING,
              "'" + std::string(model.node(plan.node).name) + "': in " + std::to_string(coarse) +
                  " output channels the bias is so much larger than the products that it would "
                  "overflow 32 bits; their weights are rounded more coarsely. `leave_float` keeps "
                  "the node as it is");
}

}  // namespace

std::vector<WeightGrid> weight_grids(const EditedModel& model, const Plan& plan,
                                     const Grids& activations, const Options& options) {
  std::vector<WeightGrid> grids;
  for (const WeightPlan& weight : plan.weights) {
    const adze_tensor& shape = *model.value(weight.weight).constant;
    std::vector<double> magnitudes =
        largest_along(model.constant(weight.weight), shape, weight.axis);
    std::span<const float> biases;
    if (weight.bias != ADZE_NONE) biases = model.constant(weight.bias);
    if (!options.per_channel && !magnitudes.empty()) {
      // One scale for all channels, which the largest weight and the largest bias decide.
      const double largest = *std::max_element(magnitudes.begin(), magnitudes.end());
      std::fill(magnitudes.begin(), magnitudes.end(), largest);
    }
    const auto input = activations.find(weight.input);
    const double input_scale =
        input == activations.end() ? 1 : static_cast<double>(input->second.scale);
    std::vector<float> scales = weight_scales(magnitudes, biases, input_scale);
    warn_of_coarse_weights(model, weight, magnitudes, scales);
    if (!options.per_channel && !scales.empty())
      scales = {*std::max_element(scales.begin(), scales.end())};
    grids.push_back({weight, std::move(scales)});
  }
  return grids;
}

}  // namespace ptq
