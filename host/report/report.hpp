// report.html: one self-contained page made from the machine output of optimize and validate.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace adze::host {

/// The documents a report is made from; null where a step was not run. Keys: report/schema/*.json.
struct ReportDocuments {
  const nlohmann::json& metrics;     ///< metrics.json
  const nlohmann::json& timings;     ///< timings.json
  const nlohmann::json& validation;  ///< validate.json
};

/// A whole HTML document: no script, no network, light and dark. Every text in it is escaped.
/// Errors: INVALID_ARGUMENT when a document lacks a key its schema requires.
std::string render_report(const ReportDocuments& documents);

}  // namespace adze::host
