// report.html of `adze compare`.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace adze::host {

/// A whole HTML document made from the machine output of `compare`, with or without layers. Errors:
/// INVALID_ARGUMENT when it lacks a key its schema requires.
std::string render_comparison(const nlohmann::json& comparison);

}  // namespace adze::host
