// In a worker: one call as the component sees it. What it shows comes from a message of the host;
// what it calls goes back as messages.
#pragma once

#include <adze/backend.h>

#include <atomic>
#include <chrono>
#include <list>
#include <memory>

#include "host/base/error.hpp"
#include "host/isolate/call_codec.hpp"
#include "host/isolate/worker_link.hpp"

namespace adze::host {

class WorkerServices;

class WorkerCall {
 public:
  enum class For { edits, reports, neither };
  /// The struct that the component sees is made in `pool`.
  WorkerCall(WorkerLink& link, const ReadCall& read, For what, Pool& pool);
  ~WorkerCall();
  WorkerCall(const WorkerCall&) = delete;
  WorkerCall& operator=(const WorkerCall&) = delete;

  adze_call* get() { return call_; }
  void show(const adze_graph* graph) { call_->graph = graph; }
  static WorkerCall& of(adze_call* call) { return *static_cast<WorkerCall*>(call->impl); }

  WorkerLink& link() { return link_; }
  /// The host said so when it was last asked. [any]
  bool stopped() const { return stopped_ != 0; }
  WorkerServices& services() { return *services_; }
  /// Records the failure with the host and returns its code. [any]
  adze_status fail(adze_status code, const char* text) noexcept;

 private:
  friend struct WorkerThunks;
  WorkerLink& link_;
  std::unique_ptr<WorkerServices> services_;
  adze_call* call_;
  std::atomic<std::int32_t> stopped_ = 0;
  std::atomic<std::int64_t> next_progress_ns_ = 0;
};

/// Runs body(WorkerCall&), which gives a status, and turns what it throws into one.
template <class Body>
adze_status linked(adze_call* call, Body&& body) noexcept {
  WorkerCall& self = WorkerCall::of(call);
  try {
    return body(self);
  } catch (const Error& error) {
    return self.fail(error.code, error.what());
  } catch (const std::exception&) {
    return self.fail(ADZE_RESOURCE_EXHAUSTED, "out of memory");
  }
}

/// Sends the request and returns the status that the answer begins with.
adze_status ask_status(WorkerCall& call, Verb verb, const Writer& contents);

}  // namespace adze::host
