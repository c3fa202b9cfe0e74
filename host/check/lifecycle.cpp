// C: create() and destroy(), and what lies between them.
#include <optional>

#include "host/check/compare_answers.hpp"
#include "host/check/each_component.hpp"
#include "host/check/held.hpp"
#include "host/check/rule_checks.hpp"

namespace adze::host::check {
namespace {

constexpr int kWarmUps = 5, kLooks = 3;
constexpr int kInstancesMade = 100, kCallsMade = 20;

/// What `rounds` of `round` leave behind each time that it is looked at, beyond what the first few
/// do: libraries keep pools and caches for good.
template <class Round>
Held left_behind(Round&& round, int rounds) {
  for (int i = 0; i < kWarmUps; ++i) round();
  Held least;
  for (int look = 0; look < kLooks; ++look) {
    const Held before = held_now();
    for (int i = 0; i < rounds; ++i) round();
    const Held left = held_now() - before;
    least = look == 0 ? left : least_of(least, left);
    if (grown(least, rounds).empty()) break;
  }
  return least;
}

/// Whether create() keeps something; nullopt: it failed, or there is none.
std::optional<bool> keeps_something(Subject& subject, const Component& component,
                                    const Settings& settings) {
  if (!component.component->create) return std::nullopt;
  Instance instance(subject, component, settings, {});
  if (!instance.created().ok()) return std::nullopt;
  return instance.has_self();
}

std::string left_by_instances(Subject& subject, const Component& component,
                              const Settings& settings) {
  const auto round = [&] { Instance instance(subject, component, settings, {}); };
  return grown(left_behind(round, kInstancesMade), kInstancesMade);
}

Finding interleaved(Subject& subject, const Component& component, const Settings& settings) {
  const SampleModel model = usual_model(subject, component, settings);
  const Usual alone = usual_answer(subject, component, model, settings);
  Instance first(subject, component, settings, {});
  Instance second(subject, component, settings, {});
  const auto fault = [&](Instance& instance, const char* when) -> std::string {
    const std::string text = difference(alone, instance.call(model));
    return text.empty() ? text : fmt::format("{}: {}", when, text);
  };
  std::string text = fault(first, "with a second instance alive");
  if (text.empty()) text = fault(second, "as the second instance");
  first.destroy();
  if (text.empty()) text = fault(second, "after the other instance was destroyed");
  return text.empty() ? passed() : failed(text);
}

bool is_extension_id(const std::string& id) {
  const std::size_t slash = id.rfind('/');
  return slash != std::string::npos && slash > 0 && slash + 1 < id.size() && id.find('.') < slash &&
         id.find_first_not_of("0123456789", slash + 1) == std::string::npos;
}

}  // namespace

Finding check_C01(Subject& subject) {
  return each_component(subject, [&](const Component& component, const Settings& settings) {
    const auto keeps = keeps_something(subject, component, settings);
    if (!keeps) return skipped("it has no create() or keeps nothing");
    if (!*keeps) return skipped("create() leaves self NULL: see C02");
    subject.note("create() and destroy() were called a hundred times");
    const std::string left = left_by_instances(subject, component, settings);
    return left.empty() ? passed()
                        : failed(fmt::format("after {} times create() and destroy(), {} are left",
                                             kInstancesMade, left));
  });
}

Finding check_C02(Subject& subject) {
  return each_component(subject, [&](const Component& component, const Settings& settings) {
    const auto keeps = keeps_something(subject, component, settings);
    if (!keeps) return skipped("it has no create()");
    if (*keeps) return skipped("create() returns a self: see C01");
    subject.note("create() was called a hundred times");
    const std::string left = left_by_instances(subject, component, settings);
    return left.empty() ? passed()
                        : failed(fmt::format(
                              "after {} times create() with self NULL, for which destroy() is "
                              "not called, {} are left",
                              kInstancesMade, left));
  });
}

Finding check_C03(Subject& subject) {
  return each_component(subject, [&](const Component& component, const Settings& settings) {
    subject.note("two instances lived at the same time");
    return interleaved(subject, component, settings);
  });
}

Finding check_C04(Subject& subject) {
  return each_component(subject, [&](const Component& component, const Settings& settings) {
    subject.note("get_extension() answered NULL for what `needs` does not list");
    const Answer answer =
        try_component(subject, component, usual_model(subject, component, settings), settings,
                      {.only_needed_extensions = true});
    for (const std::string& id : answer.asked_for)
      if (!is_extension_id(id))
        return failed(
            fmt::format("it asked for the extension '{}', which is no id like "
                        "adze.calibration/1",
                        id));
    return passed(answer.ok() ? "it goes on without" : "");
  });
}

Finding check_C05(Subject& subject) {
  return each_component(subject, [&](const Component& component, const Settings& settings) {
    const SampleModel model = usual_model(subject, component, settings);
    subject.note("instances were made, called and destroyed again and again");
    Held left =
        left_behind([&] { try_component(subject, component, model, settings); }, kCallsMade);
    if (grown(left, kCallsMade).empty()) return passed();
    // What instances leave that are not called is told by C01 and C02.
    left = left -
           left_behind([&] { Instance instance(subject, component, settings, {}); }, kCallsMade);
    const std::string text = grown(left, kCallsMade);
    return text.empty() ? passed()
                        : failed(fmt::format("after {} calls, each of an instance that was then "
                                             "destroyed, {} are left",
                                             kCallsMade, text));
  });
}

}  // namespace adze::host::check
