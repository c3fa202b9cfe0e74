// The numbered rules of the plugin contract, in one table: what `adze plugin check` prints, what
// sdk/RULES.md explains, and what messages of the host refer to.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace adze::host::check {

class Subject;
struct Finding;

enum class Severity {
  failure,  ///< MUST
  warning   ///< SHOULD: a finding is shown and fails nothing
};

struct Rule {
  const char* id;     ///< "L03": the letter is its group
  const char* title;  ///< what a good plugin does, as in "L03 exports nothing but its entry"
  Severity severity;
  const char* advice;  ///< what the author should do when it fails
  Finding (*check)(Subject&);
  /// The plugin's code runs; such a rule is looked at in a child process.
  bool runs_plugin;
};

/// All of them, in order.
std::span<const Rule> rules();

struct Group {
  char letter;
  const char* name;
};
std::span<const Group> groups();

/// Group X: by which rule a worker process ended while a plugin was used. No check looks for them.
struct RunRule {
  const char* id;
  const char* title;
};
std::span<const RunRule> run_rules();

/// Rules by id ("L03") or by the letter of a group ("L"), in the table's order; all for an empty
/// list. Spaces and case do not matter. Errors: INVALID_ARGUMENT with the nearest id for one that
/// does not exist.
std::vector<const Rule*> select_rules(std::span<const std::string> wanted);

}  // namespace adze::host::check
