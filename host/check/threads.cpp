// T: threads that enter a component.
#include <optional>
#include <thread>
#include <vector>

#include "host/check/compare_answers.hpp"
#include "host/check/each_component.hpp"
#include "host/check/rule_checks.hpp"

namespace adze::host::check {
namespace {

constexpr std::size_t kInstances = 4;
constexpr int kRounds = 3;

/// body() on a thread of its own; what it throws comes out here.
template <class Body>
void on_a_thread(Body&& body) {
  std::exception_ptr thrown;
  std::thread([&] {
    try {
      body();
    } catch (...) {
      thrown = std::current_exception();
    }
  }).join();
  if (thrown) std::rethrow_exception(thrown);
}

/// The differences that were found; empty: none.
std::vector<std::string> all_at_once(Subject& subject, const Component& component,
                                     const SampleModel& model, const Settings& settings,
                                     const Usual& usual) {
  std::vector<std::string> found(kInstances);
  std::vector<std::unique_ptr<Instance>> instances;
  for (std::size_t i = 0; i < kInstances; ++i)
    instances.push_back(
        std::make_unique<Instance>(subject, component, settings, Situation{.threads = 1}));
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < kInstances; ++i)
    threads.emplace_back([&, i] {
      try {
        for (int round = 0; round < kRounds && found[i].empty(); ++round)
          found[i] = difference(usual, instances[i]->call(model));
      } catch (const std::exception& error) {
        found[i] = error.what();
      }
    });
  for (std::thread& thread : threads) thread.join();
  std::erase(found, "");
  return found;
}

}  // namespace

Finding check_T01(Subject& subject) {
  return each_component(subject, [&](const Component& component, const Settings& settings) {
    const SampleModel model = usual_model(subject, component, settings);
    const Usual usual = usual_answer(subject, component, model, settings);
    if (usual.answer.wrong_thread)
      return failed("it called a [worker] function of the host from a thread of its own");
    subject.note("it was created on one thread and called on another");
    std::string text;
    Instance instance(subject, component, settings, {});
    on_a_thread([&] { text = difference(usual, instance.call(model)); });
    if (text.empty())
      on_a_thread(
          [&] { text = difference(usual, try_component(subject, component, model, settings)); });
    return text.empty() ? passed() : failed("on another thread than the main one: " + text);
  });
}

Finding check_T02(Subject& subject) {
  return each_component(subject, [&](const Component& component, const Settings& settings) {
    const SampleModel model = usual_model(subject, component, settings);
    std::optional<Usual> usual;
    // Not on the main thread: that this makes a difference is T01's.
    on_a_thread([&] {
      Answer first = try_component(subject, component, model, settings, {.threads = 1});
      const Answer second = try_component(subject, component, model, settings, {.threads = 1});
      const bool repeats = first.status == second.status && first.digest == second.digest;
      usual.emplace(Usual{std::move(first), repeats});
    });
    subject.note(fmt::format("{} instances ran at the same time", kInstances));
    const auto found = all_at_once(subject, component, model, settings, *usual);
    if (!found.empty())
      return failed(
          fmt::format("of {} instances that ran at the same time, {} answered otherwise "
                      "than alone: {}",
                      kInstances, found.size(), found.front()));
    return passed(own_sanitizer() == "ThreadSanitizer" ? "under ThreadSanitizer" : "");
  });
}

}  // namespace adze::host::check
