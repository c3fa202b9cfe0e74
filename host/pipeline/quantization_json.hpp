// What metrics.json says about quantization.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "host/pipeline/optimize.hpp"

namespace adze::host {

nlohmann::json policy_json(const PolicyReport& report);
nlohmann::json options_json(const std::vector<GivenOption>& options);
nlohmann::json calibration_json(const CalibrationCheck& check);
nlohmann::json quality_json(const QuantizationQuality& quality);

}  // namespace adze::host
