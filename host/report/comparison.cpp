#include "host/report/comparison.hpp"

#include <nlohmann/json.hpp>

namespace adze::host {

using nlohmann::json;

json comparison_document(const std::vector<OutputComparison>& outputs, std::int64_t samples,
                         const std::string& verdict) {
  const auto or_null = [](const std::optional<double>& value) {
    return value ? json(*value) : json(nullptr);
  };
  json list = json::array();
  for (const OutputComparison& output : outputs)
    list.push_back({{"name", output.name},
                    {"sqnr_db", or_null(output.sqnr_db)},
                    {"cosine", or_null(output.cosine)},
                    {"max_abs", output.max_abs},
                    {"mismatch_share", output.mismatch_share},
                    {"top1_agreement", or_null(output.top1_agreement)},
                    {"nan_count", output.nan_count}});
  return {{"outputs", list}, {"samples", samples}, {"verdict", verdict}};
}

}  // namespace adze::host
