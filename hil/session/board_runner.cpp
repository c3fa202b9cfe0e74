#include "hil/session/board_runner.hpp"

#include <unistd.h>

#include <algorithm>

namespace adze::hil {
namespace {

/// Of a measurement, between which sensors are read.
constexpr std::int64_t kParts = 10;
constexpr std::int64_t kSensorPauseMs = 250;

}  // namespace

BoardRunner::BoardRunner(BoardSession& session, std::string model, std::int64_t warmup_ms)
    : session_(session),
      name_("board:" + session.board().board + ":" + model),
      warmup_ms_(warmup_ms),
      loaded_(session.load()) {
  const InfoReply info = session.info();
  conditions_ = {.simulated = info.simulated,
                 .lab = info.lab,
                 .board = info.board,
                 .board_type = info.board_type,
                 .agent = info.agent,
                 .backend = info.backend,
                 .kernel = info.kernel,
                 .machine = info.machine,
                 .boot_id = info.boot_id,
                 .bundle = loaded_.bundle,
                 .batch = loaded_.batch};
}

RunResult BoardRunner::timed_run(std::span<const host::Tensor> inputs, RunSettings settings,
                                 const BoardSession::Progress& progress) {
  const bool first = times_ns_.empty();
  settings.drop_first = first;
  settings.warmup_ms = first ? warmup_ms_ : 0;
  RunWindow window{.begin_s = monotonic_s()};
  RunResult result = session_.run(loaded_.inputs, inputs, settings, progress);
  window.end_s = monotonic_s();
  window.inferences =
      static_cast<std::int64_t>(result.times_ns.size()) + result.warmup_count + (first ? 1 : 0);
  windows_.push_back(window);
  if (first) {
    conditions_.first_dropped = true;
    conditions_.first_ms = static_cast<double>(result.first_ns) / 1e6;
    conditions_.warmup_count = result.warmup_count;
    conditions_.before = result.before;
    conditions_.warnings = clock_warnings(result.before);
  }
  conditions_.link_faults = session_.recovered();
  conditions_.after = result.after;
  times_ns_.insert(times_ns_.end(), result.times_ns.begin(), result.times_ns.end());
  return result;
}

std::vector<host::NamedTensor> BoardRunner::run(std::span<const host::Tensor> inputs) {
  return timed_run(inputs, {}, {}).outputs;
}

void BoardRunner::measure(std::span<const host::Tensor> inputs, std::int64_t repeats,
                          const BoardSession::Progress& progress) {
  const std::int64_t parts = std::min(kParts, repeats);
  for (std::int64_t part = 0; part < parts; ++part) {
    const std::int64_t now = repeats * (part + 1) / parts - repeats * part / parts;
    const auto say = [&](double fraction, const std::string& doing) {
      if (progress)
        progress((static_cast<double>(part) + fraction) / static_cast<double>(parts), doing);
    };
    const RunResult result = timed_run(inputs, {.repeats = now, .outputs_wanted = false}, say);
    conditions_.along.push_back(result.after);
  }
}

bool BoardRunner::cool_down(const GuardLimits& limits, const BoardSession::Progress& progress) {
  const Deadline end = host::after_ms(limits.cool_down_ms);
  // A sensor that cannot be read is NaN, which is not too hot.
  while (session_.telemetry().temperature_c >= limits.start_below_c) {
    if (host::remaining_ms(end) == 0) return false;
    if (progress) progress(0, "cooling down");
    ::usleep(kSensorPauseMs * 1000);
  }
  return true;
}

void BoardRunner::measure_guarded(std::span<const host::Tensor> inputs, std::int64_t repeats,
                                  const GuardLimits& limits,
                                  const BoardSession::Progress& progress) {
  for (int attempt = 1; attempt <= limits.attempts; ++attempt) {
    const bool cool = cool_down(limits, progress);
    times_ns_.clear();
    windows_.clear();
    conditions_.along.clear();
    measure(inputs, repeats, progress);
    conditions_.attempts = attempt;
    if (!cool) conditions_.warnings.push_back("the board did not cool down before the run");
    std::vector<Telemetry> along{conditions_.before};
    along.insert(along.end(), conditions_.along.begin(), conditions_.along.end());
    conditions_.throttled = throttle_reasons(along, limits);
    if (conditions_.throttled.empty()) return;
  }
}

}  // namespace adze::hil
