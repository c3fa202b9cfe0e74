// A validation as JUnit XML, for whoever shows test results.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace adze::host {

/// Of the document of `adze validate`.
std::string junit_of(const nlohmann::json& validation, const std::string& model);
/// Of a validation that came to no result. `verdict`: ERROR (it does not run) or MISS (the rig
/// failed, nothing is known about the model).
std::string junit_of_failure(const std::string& model, const std::string& board,
                             const std::string& verdict, const std::string& why);

}  // namespace adze::host
