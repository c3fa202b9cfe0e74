// report.html of `adze optimize --sweep`.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace adze::host {

/// A whole HTML document made from sweep.json. Errors: INVALID_ARGUMENT when it lacks a key its
/// schema requires.
std::string render_sweep(const nlohmann::json& sweep);

/// The curves of `error_curves` (metrics.json, sweep.json) with a heading; "" when there are none.
std::string error_curve_section(const nlohmann::json& curves);

}  // namespace adze::host
