// A call whose every function is watched, and fails when it is told to.
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "host/abi/report.hpp"
#include "host/check/stage.hpp"
#include "host/check/trial.hpp"

namespace adze::host::check {

/// Counters of several calls: the n-th of them all is the one that fails.
struct CallCounter {
  std::uint64_t fail_at = 0, stop_at = 0, calls = 0, progress = 0;
  std::chrono::steady_clock::time_point stopped_at{};
  bool stopped = false;
};

class ProbeCall : public Call {
 public:
  ProbeCall(const Component& component, const Settings& settings, const Situation& situation,
            const Target* target, CallCounter& counter);

  /// What the component gets. `stage` must outlive the call.
  adze_call* shown_through(Stage& stage, std::uint32_t int4 = kNone);
  void show_edits(EditList& edits);
  void show_report(ReportReceiver& receiver);

  /// Adds what was seen to the answer, with the status of `function`.
  void finish(Answer& answer, adze_status status, const char* function);

 private:
  friend struct ProbeThunks;
  static ProbeCall& from(adze_call* call) { return static_cast<ProbeCall&>(of(call)); }
  static CallOptions options_of(const Situation& situation, const Target* target, ProbeCall* probe);
  bool fails_now();
  adze_status watched(adze_status status);
  void on_worker_thread();
  const void* staged_extension(const char* id);

  const Situation& situation_;
  CallCounter& counter_;
  Stage* stage_ = nullptr;
  std::thread::id entered_ = std::this_thread::get_id();
  adze_host real_host_{}, host_{};
  adze_edit real_edit_{}, edit_{};
  adze_report real_report_{}, report_{};
  std::mutex mutex_;
  std::string text_;
  bool wrong_thread_ = false;
  std::vector<std::string> refused_, asked_for_, logged_;
  std::map<std::string, const void*> tables_;
};

}  // namespace adze::host::check
