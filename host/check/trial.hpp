// One use of a component under a given host: created, called, destroyed, with all that it answered.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/abi/call.hpp"
#include "host/check/sample_models.hpp"
#include "host/check/stage.hpp"
#include "host/check/subject.hpp"

namespace adze::host::check {

/// How the host looks to the component.
struct Situation {
  Behind behind = Behind::zeros;
  bool read_only = false;
  bool has_target = true, has_facts = true;
  bool only_needed_extensions = false;
  bool with_targets = true;   ///< nodes that may be changed
  bool only_refits = false;   ///< the targets may be corrected, but not pruned
  std::uint64_t stop_at = 0;  ///< the progress call, from 1, that says stop; 0: none
  std::uint64_t fail_at = 0;  ///< the call of edit, report or an extension that fails; 0: none
  std::uint32_t threads = 2;
  std::uint64_t seed = 1;
};

/// What a call left behind.
struct Answer {
  adze_status status = ADZE_OK;
  std::string function;              ///< that gave the status: "prune", "compile", ...
  std::string text;                  ///< recorded for a failure; empty: it was silent
  std::vector<std::string> refused;  ///< what the host refused of edits or reports
  std::string digest;                ///< of all edits, or of placements and outputs
  std::uint64_t progress_calls = 0, host_calls = 0;
  double ms_after_stop = 0;
  bool wrong_thread = false;    ///< a [worker] function was called from another thread
  bool wrote_past_end = false;  ///< of an out parameter
  bool changed_input = false;
  std::vector<std::string> logged;
  std::vector<std::string> asked_for;  ///< extension ids; "(NULL)" for NULL
  std::optional<EditList> edits;       ///< of the model given to call(), which must outlive it
  std::map<std::uint32_t, Tensor> outputs;
  std::string executable_fault;  ///< success without an executable, or with missing reports

  bool ok() const { return status == ADZE_OK; }
  /// It works elsewhere: a tool or data it drives is not here, and it said which.
  bool lacks_something() const { return status == ADZE_UNAVAILABLE && !text.empty(); }
  /// "prune returned 3 (invalid argument): text"
  std::string describe() const;
};

/// A component between create() and destroy(). Errors: INVALID_ARGUMENT for bad settings.
class Instance {
 public:
  Instance(Subject& subject, const Component& component, Settings settings, Situation situation);
  ~Instance();
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  /// Of create(); call() does nothing after a failure.
  const Answer& created() const { return created_; }
  bool has_self() const { return self_ != nullptr; }
  /// One prune() or quantize(), or a backend's place, estimate, compile, run, profile, artifacts
  /// and release.
  Answer call(const SampleModel& model);
  void destroy();
  /// Forgets self without destroy().
  void abandon() { self_ = nullptr; }

 private:
  class Step;
  Answer edit(const SampleModel& model);
  Answer drive_backend(const SampleModel& model);

  Subject& subject_;
  Component component_;
  Settings settings_;
  Situation situation_;
  std::unique_ptr<Target> target_;
  Answer created_;
  void* self_ = nullptr;
};

/// create, call, destroy.
Answer try_component(Subject& subject, const Component& component, const SampleModel& model,
                     const Settings& settings, const Situation& situation = {});

/// What a component is usually tried on: a small CNN; for a backend that has no kernels for one and
/// says so (UNIMPLEMENTED, with a text), elementwise operators.
SampleModel usual_model(Subject& subject, const Component& component, const Settings& settings);

/// Settings that a component runs with: its defaults, and something for what is required.
Settings default_settings(const Component& component, const std::filesystem::path& scratch);

/// Why the checker cannot run the component: an extension of `needs` that it does not serve; or "".
std::string unserved_need(const Component& component);

}  // namespace adze::host::check
