// What a rule found.
#pragma once

#include <string>
#include <utility>

namespace adze::host::check {

enum class Outcome { passed, failed, warning, skipped };

inline const char* name_of(Outcome outcome) {
  static constexpr const char* kNames[] = {"passed", "failed", "warning", "skipped"};
  return kNames[static_cast<int>(outcome)];
}

struct Finding {
  Outcome outcome = Outcome::passed;
  std::string detail;  ///< what was found; for passed: a figure worth knowing, or empty
  /// Of what components answered; the same in every process. Empty: nothing to compare.
  std::string fingerprint = {};
  bool ended_process = false;  ///< the plugin took the process down, or hung in it
};

inline Finding passed(std::string detail = {}) { return {Outcome::passed, std::move(detail)}; }
inline Finding failed(std::string detail) { return {Outcome::failed, std::move(detail)}; }
inline Finding skipped(std::string why) { return {Outcome::skipped, std::move(why)}; }

}  // namespace adze::host::check
