// H: hosts that are older, newer, or in trouble.
#include <algorithm>
#include <set>

#include "host/check/compare_answers.hpp"
#include "host/check/each_component.hpp"
#include "host/check/rule_checks.hpp"

namespace adze::host::check {
namespace {

constexpr double kStopLimitMs = 1000;
/// Progress and host calls that are tried one by one; of more, these first ones and the last.
constexpr std::uint64_t kTriedCalls = 24;

Finding alike(Subject& subject, const Situation& situation, const char* doing) {
  return each_component(subject, [&](const Component& component, const Settings& settings) {
    const SampleModel model = usual_model(subject, component, settings);
    const Usual usual = usual_answer(subject, component, model, settings);
    subject.note(doing);
    const std::string text =
        difference(usual, try_component(subject, component, model, settings, situation));
    return text.empty() ? passed() : failed(fmt::format("{}: {}", doing, text));
  });
}

std::set<std::uint64_t> some_of(std::uint64_t count) {
  std::set<std::uint64_t> tried;
  for (std::uint64_t i = 1; i <= std::min(count, kTriedCalls); ++i) tried.insert(i);
  if (count) tried.insert(count);
  return tried;
}

}  // namespace

Finding check_H01(Subject& subject) {
  return alike(subject, {.behind = Behind::guard},
               "each struct ended at memory that must not be touched");
}

Finding check_H02(Subject& subject) {
  return alike(subject, {.behind = Behind::newer},
               "each struct was larger, with poison behind what 1.0 knows");
}

Finding check_H03(Subject& subject) {
  return each_component(subject, [&](const Component& component, const Settings& settings) {
    subject.note("no target was named");
    try_component(subject, component, usual_model(subject, component, settings), settings,
                  {.has_target = false});
    subject.note("the target had no facts");
    try_component(subject, component, usual_model(subject, component, settings), settings,
                  {.has_facts = false});
    return passed();
  });
}

Finding check_H04(Subject& subject) {
  return each_component(subject, [&](const Component& component, const Settings& settings) {
    subject.note("out parameters lay between words that must stay as they are");
    Instance instance(subject, component, settings, {});
    if (instance.created().wrote_past_end)
      return failed("create() wrote beside out_self, which is one pointer");
    const Answer answer = instance.call(usual_model(subject, component, settings));
    if (answer.wrote_past_end)
      return failed(
          "it wrote beside out_executable, which is one pointer, or beside out_latency_ms, which "
          "is "
          "`count` numbers");
    return passed();
  });
}

Finding check_H05(Subject& subject) {
  return each_component(subject, [&](const Component& component, const Settings& settings) {
    const SampleModel model = usual_model(subject, component, settings);
    const auto started = std::chrono::steady_clock::now();
    const Answer usual = try_component(subject, component, model, settings);
    const double took_ms =
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - started)
            .count();
    if (usual.progress_calls == 0) {
      if (took_ms <= kStopLimitMs)
        return passed(fmt::format("it never asks, and was done after {:.0f} ms", took_ms));
      return failed(fmt::format("it ran for {:.0f} ms without calling progress()", took_ms));
    }
    for (const std::uint64_t stop_at : some_of(usual.progress_calls)) {
      subject.note(fmt::format("progress() said stop the {}. time", stop_at));
      const Answer answer =
          try_component(subject, component, model, settings, {.stop_at = stop_at});
      if (answer.status != ADZE_CANCELLED)
        return failed(fmt::format("progress() said stop the {}. time, but {}", stop_at,
                                  answer.ok() ? "it went on and succeeded" : answer.describe()));
      if (answer.ms_after_stop > kStopLimitMs)
        return failed(
            fmt::format("it stopped {:.0f} ms after progress() said so", answer.ms_after_stop));
    }
    return passed();
  });
}

Finding check_H06(Subject& subject) {
  return each_component(subject, [&](const Component& component, const Settings& settings) {
    const SampleModel model = usual_model(subject, component, settings);
    const Answer usual = try_component(subject, component, model, settings);
    for (const std::uint64_t fail_at : some_of(usual.host_calls)) {
      subject.note(fmt::format("the {}. call of the host's functions failed", fail_at));
      const Answer answer =
          try_component(subject, component, model, settings, {.fail_at = fail_at});
      if (answer.ok())
        return failed(
            fmt::format("its {}. call of the host's functions (edit, report, extensions) returned "
                        "RESOURCE_EXHAUSTED, but it reported success",
                        fail_at));
    }
    return passed(usual.host_calls ? "" : "it calls none of the host's functions");
  });
}

}  // namespace adze::host::check
