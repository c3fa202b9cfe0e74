#include "host/pipeline/quantization_json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace adze::host {
namespace {

using nlohmann::json;

json estimate_json(const DropEstimate& estimate) {
  return {{"drop", estimate.drop},
          {"standard_error", estimate.standard_error},
          {"output_error", estimate.output_error}};
}

json step_json(const PolicyStep& step) {
  json options = json::object();
  for (const auto& [name, value] : step.options) options[name] = value;
  return {{"name", step.name},
          {"component", step.component},
          {"options", options},
          {"outcome", step.outcome},
          {"reason", step.reason},
          {"estimate", step.estimate ? estimate_json(*step.estimate) : json()},
          {"predicted_ms", step.estimate ? json(step.predicted_ms) : json()},
          {"int8_mac_share", step.estimate ? json(step.int8_mac_share) : json()},
          {"chosen", step.chosen}};
}

json group_json(const FloatGroup& group) {
  return {{"nodes", group.nodes},
          {"recovered", group.recovered},
          {"mac_share", group.mac_share},
          {"added_ms", group.added_ms},
          {"reverted", group.reverted},
          {"reason", group.reason},
          {"estimate", group.reverted ? estimate_json(group.estimate) : json()}};
}

json tensor_json(const TensorQuality& tensor) {
  const Quant& quant = tensor.quant;
  const auto [least, most] = std::ranges::minmax_element(quant.scale);
  std::int32_t low_point = 0, high_point = 0;
  if (!quant.zero_point.empty()) {
    const auto [low, high] = std::ranges::minmax_element(quant.zero_point);
    low_point = *low;
    high_point = *high;
  }
  json document = {{"name", tensor.name},
                   {"node", tensor.node},
                   {"op", tensor.op},
                   {"kind", tensor.is_constant ? "constant" : "activation"},
                   {"dtype", fmt::format("{}int{}", quant.is_signed ? "" : "u", int{quant.bits})},
                   {"axis", quant.axis >= 0 ? json(quant.axis) : json()},
                   {"scales", quant.scale.size()},
                   {"scale", {{"min", *least}, {"max", *most}}},
                   {"zero_point", {{"min", low_point}, {"max", high_point}}},
                   {"range", {{"low", tensor.low}, {"high", tensor.high}}},
                   {"clipped_share", tensor.clipped_share},
                   {"sqnr_db", tensor.sqnr_db ? json(*tensor.sqnr_db) : json()}};
  if (tensor.histogram)
    document["histogram"] = {{"low", tensor.histogram->low},
                             {"high", tensor.histogram->high},
                             {"grid_low", tensor.histogram->grid_low},
                             {"grid_high", tensor.histogram->grid_high},
                             {"counts", tensor.histogram->counts}};
  return document;
}

}  // namespace

json policy_json(const PolicyReport& report) {
  json steps = json::array(), groups = json::array();
  for (const PolicyStep& step : report.steps) steps.push_back(step_json(step));
  for (const FloatGroup& group : report.groups) groups.push_back(group_json(group));
  return {{"max_drop", report.max_drop},
          {"max_drop_given", report.max_drop_given},
          {"max_float", report.max_float},
          {"measure", report.measure},
          {"source", report.source},
          {"metric", report.metric},
          {"samples", report.samples},
          {"before_ms", report.before_ms},
          {"steps", steps},
          {"groups", groups},
          {"within", report.within},
          {"decision", report.decision}};
}

json options_json(const std::vector<GivenOption>& options) {
  json list = json::array();
  for (const GivenOption& option : options)
    list.push_back({{"name", option.name},
                    {"value", option.value},
                    {"applied", option.applied},
                    {"by", option.by},
                    {"reason", option.reason}});
  return list;
}

json calibration_json(const CalibrationCheck& check) {
  return {{"samples", check.samples},
          {"classes", check.classes ? json(*check.classes) : json()},
          {"advised_samples", check.advised_samples},
          {"warnings", check.warnings}};
}

json quality_json(const QuantizationQuality& quality) {
  json tensors = json::array();
  for (const TensorQuality& tensor : quality.tensors) tensors.push_back(tensor_json(tensor));
  return {{"samples", quality.samples},
          {"int8_mac_share", quality.int8_mac_share},
          {"tensors", tensors}};
}

}  // namespace adze::host
