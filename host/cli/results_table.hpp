// What became of a model, step by step, for people: the last thing optimize and validate print.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace adze::host {

/// `metrics`: metrics.json; `validation`: validate.json, or null. "Same top-1" is the share of
/// samples on which a step predicts what the model as loaded does; for a board, what the emulation
/// does.
std::string results_table(const nlohmann::json& metrics, const nlohmann::json& validation);

}  // namespace adze::host
