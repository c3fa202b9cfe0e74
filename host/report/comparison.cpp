#include "host/report/comparison.hpp"

#include <nlohmann/json.hpp>

namespace adze::host {

using nlohmann::json;

namespace {

json or_null(const std::optional<double>& value) { return value ? json(*value) : json(nullptr); }

/// Which side gives one number for everything.
json constant_side(const OutputComparison& output) {
  if (output.constant_a && output.constant_b) return "both";
  if (output.constant_a) return "reference";
  return output.constant_b ? json("measured") : json(nullptr);
}

json layer_document(const LayerResult& result) {
  const OutputComparison& figures = result.figures;
  const auto in_steps = [&](double StepDifferences::*what) {
    return figures.steps ? json((*figures.steps).*what) : json(nullptr);
  };
  return {{"name", result.layer.value},
          {"node", result.layer.node},
          {"op", result.layer.op},
          {"shape", result.layer.shape ? json(*result.layer.shape) : json(nullptr)},
          {"elements", figures.elements},
          {"max_abs", figures.max_abs},
          {"max_rel", or_null(figures.max_rel)},
          {"sqnr_db", or_null(figures.sqnr_db)},
          {"mismatch_share", figures.mismatch_share},
          {"nan_count", figures.nan_count},
          {"max_steps", in_steps(&StepDifferences::max)},
          {"steps_differing_share", in_steps(&StepDifferences::differing_share)},
          {"steps_beyond_share", in_steps(&StepDifferences::beyond_share)},
          {"within", result.within}};
}

}  // namespace

void add_layers(json& document, const LayerComparison& comparison) {
  json layers = json::array(), unobserved = json::array();
  for (const LayerResult& layer : comparison.layers) layers.push_back(layer_document(layer));
  for (const Unobserved& value : comparison.unobserved)
    unobserved.push_back(
        {{"name", value.value}, {"node", value.node}, {"op", value.op}, {"reason", value.reason}});
  const LayerResult* first = comparison.first_parting();
  document["layers"] = std::move(layers);
  document["unobserved"] = std::move(unobserved);
  document["first_parting"] = first ? json(first->layer.value) : json(nullptr);
  document["limits"] = {{"max_rel", comparison.limits.max_rel},
                        {"max_abs", comparison.limits.max_abs},
                        {"max_steps", comparison.limits.max_steps},
                        {"steps_differing_share", comparison.limits.differing_share}};
}

json comparison_document(const std::vector<OutputComparison>& outputs, std::int64_t samples,
                         const std::string& verdict) {
  json list = json::array();
  for (const OutputComparison& output : outputs)
    list.push_back({{"name", output.name},
                    {"sqnr_db", or_null(output.sqnr_db)},
                    {"cosine", or_null(output.cosine)},
                    {"max_abs", output.max_abs},
                    {"max_rel", or_null(output.max_rel)},
                    {"mismatch_share", output.mismatch_share},
                    {"top1_agreement", or_null(output.top1_agreement)},
                    {"nan_count", output.nan_count},
                    {"constant", constant_side(output)}});
  return {{"outputs", list}, {"samples", samples}, {"verdict", verdict}};
}

}  // namespace adze::host
