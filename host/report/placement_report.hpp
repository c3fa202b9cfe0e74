// Where the nodes of a model run, as a picture.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace adze::host {

/// The pieces that DRP-AI and the CPU run one after the other, with their predicted time, and what
/// is handed over between them. Errors: as nlohmann-json for layers that lack something.
std::string placement_section(const nlohmann::json& layers);

}  // namespace adze::host
