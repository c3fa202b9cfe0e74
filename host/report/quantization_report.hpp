// The parts of report.html about quantization.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace adze::host {

/// What the stages were told, what `use = "auto"` tried and why it stopped, and what each grid does
/// to its tensor, with pictures of the worst. "" where metrics.json has nothing of it. `timings`:
/// timings.json or null. Errors: those of nlohmann-json for a key that is missing.
std::string quantization_section(const nlohmann::json& metrics, const nlohmann::json& timings);

}  // namespace adze::host
