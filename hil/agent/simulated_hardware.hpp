// What stands for silicon on a simulated board: how long inferences take, and what is broken.
#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <random>
#include <vector>

#include "hil/link/faulty_link.hpp"
#include "hil/protocol/messages.hpp"

namespace adze::hil {

/// Used by the holder of the board only, but for link_history().
class SimulatedHardware {
 public:
  SimulatedHardware(Faults faults, Pace pace, std::filesystem::path scratch);

  const Faults& faults() const { return faults_; }
  FaultHistory& link_history() { return history_; }
  /// What is loaded instead of `slot`: a copy with the broken arithmetic, or `slot` itself. Errors:
  /// FAILED_PRECONDITION when the bundle has no program that can be broken, NOT_FOUND for a node
  /// that it has not.
  std::filesystem::path as_it_computes(const std::filesystem::path& slot);
  /// A model was loaded whose bundle predicts `predicted_ms`, 0: nothing.
  void loaded(double predicted_ms);
  /// Counts run requests: whether this one is never answered, or ends in a restart.
  bool hangs() { return faults_.hang_at && runs_ == *faults_.hang_at && !hung_.exchange(true); }
  bool reboots() {
    return faults_.reboot_at && runs_ == *faults_.reboot_at && !rebooted_.exchange(true);
  }
  void count_run() { ++runs_; }
  /// The times as this board takes them; returns by how much the sum grew, to be slept.
  std::chrono::nanoseconds stretch(std::vector<std::int64_t>& times_ns);
  /// Puts NaN into outputs, if that is broken.
  void spoil(const std::vector<TensorSpec>& specs, std::vector<std::vector<std::byte>>& outputs);
  /// What its sensors say.
  Telemetry feel(Telemetry telemetry);

 private:
  using Clock = std::chrono::steady_clock;
  bool is_hot();
  double normal();

  Faults faults_;
  Pace pace_;
  std::filesystem::path scratch_;
  FaultHistory history_;
  std::mt19937_64 random_;
  double predicted_ms_ = 0, pace_of_load_ = 1;
  std::int64_t inferences_ = 0;  ///< since it was cool
  Clock::time_point last_run_{};
  std::uint64_t runs_ = 0;
  std::atomic<bool> hung_ = false, rebooted_ = false;
};

}  // namespace adze::hil
