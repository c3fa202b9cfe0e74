// Applies a rule to every component of the plugin that can be run.
#pragma once

#include <fmt/format.h>

#include <string>

#include "host/check/subject.hpp"
#include "host/check/trial.hpp"

namespace adze::host::check {

/// body(component, settings) -> Finding. The first failure counts and names its component; skipped
/// only when all were.
template <class Body>
Finding each_component(Subject& subject, Body&& body) {
  Finding result;
  std::string skips;
  bool any = false;
  if (!subject.unusable().empty()) return skipped(subject.unusable());
  const auto components = subject.components();
  for (const Component& component : components) {
    const std::string need = unserved_need(component);
    const Finding found =
        !need.empty() ? skipped(need)
                      : body(component, default_settings(component, subject.options().scratch));
    const std::string where =
        components.size() > 1 ? fmt::format("{}: ", component.component->id) : "";
    if (found.outcome == Outcome::failed) return failed(where + found.detail);
    std::string& text = found.outcome == Outcome::skipped ? skips : result.detail;
    any |= found.outcome != Outcome::skipped;
    if (!found.detail.empty()) text += (text.empty() ? "" : "; ") + where + found.detail;
  }
  return any ? result : skipped(skips);
}

}  // namespace adze::host::check
