// The files that `adze optimize` writes.
#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "host/pipeline/optimize.hpp"

namespace adze::host {

/// metrics.json and edits.json hold nothing that differs between two runs of the same recipe and
/// seed; the times are in timings.json.
nlohmann::json metrics_json(const OptimizeResult& result);
nlohmann::json curves_json(const std::vector<ErrorCurve>& curves);
nlohmann::json edits_json(const OptimizeResult& result);
nlohmann::json timings_json(const OptimizeResult& result);

/// Writes optimized.onnx, metrics.json, edits.json, timings.json and `more` (file name -> contents;
/// report.html) into `folder`, which is made when missing. All are written under temporary names
/// first, so that a full disk leaves what was there before.
void write_artifacts(const OptimizeResult& result, const std::filesystem::path& folder,
                     const std::map<std::string, std::string>& more = {});

}  // namespace adze::host
