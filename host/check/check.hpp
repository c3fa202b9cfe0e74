// adze plugin check: looks at a plugin rule by rule. Rules that run it do so in a child process
// with a deadline, many to a child; when a child dies, the rule it was in has failed and a new
// child goes on with the next.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "host/check/finding.hpp"
#include "host/check/rules.hpp"

namespace adze::host::check {

struct RuleResult {
  const Rule* rule;
  Finding finding;
};

struct CheckOptions {
  std::filesystem::path file;
  std::vector<const Rule*> rules;
  std::string component;    ///< "": all
  bool in_process = false;  ///< no child: for a debugger
  double fuzz_seconds = 3;
  std::uint64_t fuzz_seed = 1;
  bool fuzz_one = false;         ///< only the case of fuzz_seed, told in full
  double deadline_seconds = 20;  ///< of one step of a rule
  /// The program that becomes the child: `<program> plugin check --child ...`.
  std::filesystem::path program = "/proc/self/exe";
  std::function<void(const RuleResult&)> on_result = [](const RuleResult&) {};
};

/// In the order of the table. Errors: NOT_FOUND for a file or component that does not exist.
std::vector<RuleResult> check_plugin(const CheckOptions& options);

/// The child's side: looks at the rules and reports over `socket`, the descriptor it inherited.
void serve_checks(const CheckOptions& options, const std::filesystem::path& scratch, int socket);

/// {plugin, rules: [{id, title, outcome, detail}], passed, failed, warnings, skipped}
nlohmann::json document_of(const std::filesystem::path& file,
                           const std::vector<RuleResult>& results);
/// One line a rule, grouped, with what to do about failures.
std::string text_of(const std::filesystem::path& file, const std::vector<RuleResult>& results);

}  // namespace adze::host::check
