// C: create() and destroy(), and what lies between them.
#include <malloc.h>

#include <filesystem>
#include <iterator>
#include <optional>

#include "host/check/compare_answers.hpp"
#include "host/check/each_component.hpp"
#include "host/check/rule_checks.hpp"

#if defined(__SANITIZE_ADDRESS__)
// Of sanitizer/allocator_interface.h, which GCC's packages leave out.
extern "C" std::size_t __sanitizer_get_current_allocated_bytes();
#endif

namespace adze::host::check {
namespace {

constexpr int kWarmUps = 5, kRounds = 100;
/// The smallest piece of memory that can be forgotten each round. What the allocator itself keeps
/// grows once, a leak grows again each time it is looked at.
constexpr std::int64_t kLeakBytesPerRound = 24;
constexpr int kLooks = 3;

struct Held {
  std::int64_t bytes = 0, threads = 0, files = 0;
};

std::int64_t entries_of(const char* folder) {
  return std::distance(std::filesystem::directory_iterator(folder),
                       std::filesystem::directory_iterator());
}

Held held_now() {
  Held held;
#if defined(__SANITIZE_ADDRESS__)
  held.bytes = static_cast<std::int64_t>(__sanitizer_get_current_allocated_bytes());
#else
  const struct mallinfo2 heap = ::mallinfo2();
  held.bytes = static_cast<std::int64_t>(heap.uordblks + heap.hblkhd);
#endif
  held.threads = entries_of("/proc/self/task");
  held.files = entries_of("/proc/self/fd");
  return held;
}

/// What `round` leaves behind, beyond what it leaves the first few times.
template <class Round>
std::string left_behind(Round&& round) {
  for (int i = 0; i < kWarmUps; ++i) round();
  std::string left;
  for (int look = 0; look < kLooks; ++look) {
    const Held before = held_now();
    for (int i = 0; i < kRounds; ++i) round();
    const Held after = held_now();
    if (after.threads - before.threads >= kRounds / 2)
      left = fmt::format("{} threads", after.threads - before.threads);
    else if (after.files - before.files >= kRounds / 2)
      left = fmt::format("{} open files", after.files - before.files);
    else if (after.bytes - before.bytes >= kRounds * kLeakBytesPerRound)
      left = fmt::format("{} bytes", after.bytes - before.bytes);
    else
      return "";
  }
  return left;
}

/// Whether create() keeps something; nullopt: it failed, or there is none.
std::optional<bool> keeps_something(Subject& subject, const Component& component,
                                    const Settings& settings) {
  if (!component.component->create) return std::nullopt;
  Instance instance(subject, component, settings, {});
  if (!instance.created().ok()) return std::nullopt;
  return instance.has_self();
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
    const std::string left =
        left_behind([&] { Instance instance(subject, component, settings, {}); });
    return left.empty() ? passed()
                        : failed(fmt::format("after {} times create() and destroy(), {} are left",
                                             kRounds, left));
  });
}

Finding check_C02(Subject& subject) {
  return each_component(subject, [&](const Component& component, const Settings& settings) {
    const auto keeps = keeps_something(subject, component, settings);
    if (!keeps) return skipped("it has no create()");
    if (*keeps) return skipped("create() returns a self: see C01");
    subject.note("create() was called a hundred times");
    const std::string left =
        left_behind([&] { Instance instance(subject, component, settings, {}); });
    return left.empty() ? passed()
                        : failed(fmt::format(
                              "after {} times create() with self NULL, for which destroy() is "
                              "not called, {} are left",
                              kRounds, left));
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

}  // namespace adze::host::check
