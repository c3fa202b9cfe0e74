// A board as a runner: comparison and evaluation treat it like a backend on this machine.
#pragma once

#include "hil/measure/guard.hpp"
#include "hil/measure/measurement.hpp"
#include "hil/session/session.hpp"

namespace adze::hil {

/// Every inference it makes is timed on the board; the times add up over all runs.
class BoardRunner : public host::Runner {
 public:
  /// Loads the active bundle. `session` must outlive it; `model` is for name(). The first run
  /// drops its first call and warms up for `warmup_ms`.
  BoardRunner(BoardSession& session, std::string model, std::int64_t warmup_ms = 200);
  std::string name() const override { return name_; }
  std::vector<host::NamedTensor> run(std::span<const host::Tensor> inputs) override;
  std::vector<host::ProfileRow> profile() override { return session_.profile(); }

  /// Runs the same inputs `repeats` times for their times alone, in parts between which the board's
  /// sensors are read.
  void measure(std::span<const host::Tensor> inputs, std::int64_t repeats,
               const BoardSession::Progress& progress = {});
  /// The same on a board that is cool, and again when it was throttled; what was measured before
  /// goes. The conditions say when it was throttled every time.
  void measure_guarded(std::span<const host::Tensor> inputs, std::int64_t repeats,
                       const GuardLimits& limits, const BoardSession::Progress& progress = {});

  const LoadReply& loaded() const { return loaded_; }
  /// Of all inferences so far. Errors: INVALID_ARGUMENT before the first.
  Measurement measurement() const { return make_measurement(times_ns_, conditions_); }
  /// Raw, to be stored before anything is made of them.
  const std::vector<std::int64_t>& times_ns() const { return times_ns_; }
  const Conditions& conditions() const { return conditions_; }
  /// When each run was, for what a meter saw.
  const std::vector<RunWindow>& windows() const { return windows_; }

 private:
  bool cool_down(const GuardLimits& limits, const BoardSession::Progress& progress);
  RunResult timed_run(std::span<const host::Tensor> inputs, RunSettings settings,
                      const BoardSession::Progress& progress);

  BoardSession& session_;
  std::string name_;
  std::int64_t warmup_ms_;
  LoadReply loaded_;
  std::vector<std::int64_t> times_ns_;
  Conditions conditions_;
  std::vector<RunWindow> windows_;
};

}  // namespace adze::hil
