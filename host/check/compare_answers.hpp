// Whether a component answers the same in another situation.
#pragma once

#include <string>

#include "host/check/trial.hpp"

namespace adze::host::check {

/// What a component answers in the usual situation, and whether it repeats itself there: only then
/// may contents be compared.
struct Usual {
  Answer answer;
  bool repeats = false;
};

inline Usual usual_answer(Subject& subject, const Component& component, const SampleModel& model,
                          const Settings& settings) {
  Answer first = try_component(subject, component, model, settings);
  const Answer second = try_component(subject, component, model, settings);
  const bool repeats = first.status == second.status && first.digest == second.digest;
  return {std::move(first), repeats};
}

/// "" when alike, otherwise what differs.
inline std::string difference(const Usual& usual, const Answer& answer) {
  if (answer.status != usual.answer.status)
    return answer.ok() ? "it succeeded, which it does not otherwise" : answer.describe();
  if (usual.repeats && usual.answer.ok() && answer.digest != usual.answer.digest)
    return "its results are others";
  return "";
}

}  // namespace adze::host::check
