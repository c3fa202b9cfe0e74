// A comparison as machine output: `compare`, and the two of `validate`.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "host/compare/layers.hpp"

namespace adze::host {

/// {outputs[{name, sqnr_db, cosine, max_abs, max_rel, mismatch_share, top1_agreement, nan_count,
/// constant}], samples, verdict}; undefined figures are null.
nlohmann::json comparison_document(const std::vector<OutputComparison>& outputs,
                                   std::int64_t samples, const std::string& verdict);

/// Adds layers[], unobserved[], first_parting and limits to the document of `compare`.
void add_layers(nlohmann::json& document, const LayerComparison& comparison);

}  // namespace adze::host
