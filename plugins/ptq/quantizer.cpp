#include "plugins/ptq/quantizer.hpp"

#include <algorithm>
#include <string>

#include "plugins/ptq/bias_correction.hpp"
#include "plugins/ptq/collect.hpp"
#include "plugins/ptq/edited_model.hpp"
#include "plugins/ptq/equalize.hpp"
#include "plugins/ptq/options.hpp"
#include "plugins/ptq/ranges.hpp"
#include "plugins/ptq/rounding.hpp"
#include "plugins/ptq/smooth.hpp"
#include "plugins/ptq/weights.hpp"
#include "plugins/quantization/leave_float.hpp"
#include "plugins/quantization/plan.hpp"

namespace ptq {
namespace {

Plan plan_of(const EditedModel& model, const Options& options) {
  const std::vector<bool> named = named_nodes(model.graph(), options.leave_float);
  std::vector<bool> decoding;
  if (options.float_heads) decoding = decoding_nodes(model.graph());
  std::string heads;
  for (std::uint32_t node = 0; node < decoding.size(); ++node)
    if (decoding[node] && model.is_target(node))
      heads += (heads.empty() ? "" : ", ") + std::string(model.node(node).name);
  if (!heads.empty())
    model.log(ADZE_LOG_INFO, "left float, as they decode the results (`heads`): " + heads);
  Plan plan = make_plan(model.graph(), named, decoding);
  if (plan.weights.empty() && plan.measured.empty())
    throw adze::Error(ADZE_FAILED_PRECONDITION,
                      "the model has no operator among its targets that runs in integers");
  return plan;
}

/// One grid that holds the ranges of all.
void join(const std::vector<std::uint32_t>& group, const Options& options, Grids& grids) {
  double low = 0, high = 0;
  for (const std::uint32_t value : group) {
    if (!grids.contains(value)) continue;  // a constant without elements
    const auto [lowest, highest] = ends_of(grids.at(value), options.bits);
    low = std::min(low, lowest);
    high = std::max(high, highest);
  }
  const Grid joined = activation_grid(low, high, options.zero_point, options.bits);
  for (const std::uint32_t value : group) grids[value] = joined;
}

/// Of constants that are added or joined, by all of their elements; then of what shares a grid.
void add_derived_grids(const EditedModel& model, const Plan& plan, const Options& options,
                       Grids& grids) {
  for (const std::uint32_t value : plan.constants) {
    const auto elements = model.constant(value);
    const auto [low, high] = std::minmax_element(elements.begin(), elements.end());
    if (low != elements.end())
      grids[value] = activation_grid(static_cast<double>(*low), static_cast<double>(*high),
                                     options.zero_point, options.bits);
  }
  if (options.shared_scales)
    for (const std::vector<std::uint32_t>& group : plan.same_scale) join(group, options, grids);
  for (const auto& [value, source] : plan.shared) grids[value] = grids.at(source);
}

void count_and_log(const EditedModel& model, const char* step, std::size_t count,
                   const char* things) {
  if (count > 0)
    model.log(ADZE_LOG_INFO, std::string(step) + ": " + std::to_string(count) + things);
}

}  // namespace

void quantize(adze_call* call) {
  const Options options = read_options(*call);
  EditedModel model(call);
  const Plan plan = plan_of(model, options);
  // Broken weights are better reported before a long calibration.
  for (const WeightPlan& weight : plan.weights) {
    model.constant(weight.weight);
    if (weight.bias != ADZE_NONE) model.constant(weight.bias);
  }
  if (sample_count(model) == 0)
    throw adze::Error(ADZE_FAILED_PRECONDITION,
                      "the calibration set is empty, and ranges come from nothing else: give "
                      "samples in [calibration]");
  if (sample_count(model) == 1)
    model.log(ADZE_LOG_WARNING,
              "one calibration sample is all there is: ranges of other inputs are not known");

  adze::progress(call, 0, "equalizing channels");
  count_and_log(model, "equalized", equalize(model, options), " groups of channels");
  count_and_log(model, "smoothed", smooth(model, options.smooth), " normalizations");
  adze::progress(call, 0.1, "ranges");
  Grids grids = choose_grids(model, plan.measured, options);
  add_derived_grids(model, plan, options, grids);
  const std::vector<WeightGrid> weights = weight_grids(model, plan, grids, options);
  adze::progress(call, 0.4, "weights");
  BiasCorrection correction(model, plan, options);
  count_and_log(model, "rounded adaptively", round_adaptively(model, weights, options), " layers");

  for (const auto& [value, grid] : grids)
    model.set_quant(value, -1, ADZE_UINT, options.bits, {&grid.scale, 1}, &grid.zero_point);
  for (const WeightGrid& weight : weights)
    model.set_quant(weight.plan.weight, weight.scales.size() == 1 ? -1 : weight.plan.axis, ADZE_INT,
                    kWeightBits, weight.scales, nullptr);
  adze::progress(call, 0.5, "correcting biases");
  correction.run();
  adze::progress(call, 1, "quantized");
}

}  // namespace ptq
