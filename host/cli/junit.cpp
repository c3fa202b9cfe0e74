#include "host/cli/junit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "host/report/svg.hpp"

namespace adze::host {
namespace {

using nlohmann::json;

struct Case {
  std::string name, kind, text;  ///< kind: empty, "failure", "error" or "skipped"
  double seconds = 0;
};

std::string suite(const std::string& model, const std::string& board,
                  const std::vector<std::pair<std::string, std::string>>& properties,
                  const std::vector<Case>& cases) {
  const auto count = [&](const char* kind) {
    return std::count_if(cases.begin(), cases.end(),
                         [&](const Case& one) { return one.kind == kind; });
  };
  std::string xml = fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"adze validate {}\" "
      "tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\">\n  <properties>\n",
      escape_html(model), cases.size(), count("failure"), count("error"), count("skipped"));
  for (const auto& [name, value] : properties)
    xml += fmt::format("    <property name=\"{}\" value=\"{}\"/>\n", escape_html(name),
                       escape_html(value));
  xml += "  </properties>\n";
  for (const Case& one : cases) {
    xml += fmt::format("  <testcase classname=\"adze.{}\" name=\"{}\" time=\"{:.6f}\"",
                       escape_html(board), escape_html(one.name), one.seconds);
    xml += one.kind.empty() ? "/>\n"
                            : fmt::format(">\n    <{} message=\"{}\"/>\n  </testcase>\n", one.kind,
                                          escape_html(one.text));
  }
  return xml + "</testsuite>\n";
}

std::string joined(const json& texts) {
  std::string all;
  for (const json& text : texts) all += (all.empty() ? "" : "; ") + text.get<std::string>();
  return all;
}

Case comparison_case(const json& validation, const char* key, const std::string& name) {
  const bool failed = validation.at(key).at("verdict") == "FAIL";
  return {.name = name,
          .kind = failed ? "failure" : "",
          .text = failed ? joined(validation.at("reasons")) : ""};
}

}  // namespace

std::string junit_of(const json& validation, const std::string& model) {
  const json& conditions = validation.at("measured").at("conditions");
  const std::string board = validation.at("board");
  std::vector<Case> cases{
      comparison_case(validation, "against_emulated", "board equals the emulation"),
      comparison_case(validation, "against_fp32", "board against FP32")};
  const bool slow = validation.value("latency_verdict", "DONE") == "FAIL";
  cases.push_back({.name = "latency",
                   .kind = slow ? "failure" : "",
                   .text = slow ? joined(validation.at("reasons")) : "",
                   .seconds = validation.at("measured").at("median_ms").get<double>() / 1000});
  const json& faults = conditions.at("link_faults");
  std::vector<std::pair<std::string, std::string>> properties{
      {"verdict", validation.at("verdict")},
      {"board", board},
      {"bundle", validation.at("bundle")},
      {"simulated", conditions.at("simulated").get<bool>() ? "true" : "false"},
      {"attempts", std::to_string(faults.size() + 1)}};
  // A pass after a fault is a pass, and is not hidden.
  if (!faults.empty()) properties.emplace_back("flaky", joined(faults));
  if (!conditions.at("throttled").empty())
    properties.emplace_back("throttled", joined(conditions.at("throttled")));
  return suite(model, board, properties, cases);
}

std::string junit_of_failure(const std::string& model, const std::string& board,
                             const std::string& verdict, const std::string& why) {
  return suite(model, board, {{"verdict", verdict}, {"board", board}},
               {{.name = "validate", .kind = "error", .text = verdict + ": " + why}});
}

}  // namespace adze::host
