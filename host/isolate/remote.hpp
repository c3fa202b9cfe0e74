// In the host: one component in a worker process, and what its functions call back.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "host/abi/call.hpp"
#include "host/isolate/call_codec.hpp"
#include "host/worker/process.hpp"

namespace adze::host {

/// A worker that died or misbehaved fails every call from then on, with a text that names the rule:
/// X01 crash, X02 abort or uncaught exception, X03 write to read-only memory, X04 stack overflow,
/// X05 memory limit, X06 exit, X07 deadline, X08 socket closed or garbage on it.
class RemoteComponent {
 public:
  /// Starts the worker. Errors: NOT_FOUND (no worker program), RESOURCE_EXHAUSTED.
  explicit RemoteComponent(const Component& component);

  using TakeResult = std::function<void(Reader& from)>;
  /// Calls a function of the component and serves what it calls until it returns. `take` reads
  /// what follows the status. Calls from several threads are made one after the other. [any]
  adze_status ask(adze_call* call, Verb verb, const Writer& request,
                  const TakeResult& take = {}) noexcept;
  /// The same for the two functions that have no call; a failure is logged.
  void tell(Verb verb, const Writer& request, const char* function) noexcept;

  std::uint64_t param_count() const { return component_.component->param_count; }
  std::uint32_t next_executable() { return ++executables_; }

 private:
  adze_status exchange(adze_call* call, Verb verb, const Writer& request, const TakeResult& take);
  void listen(std::string_view line);
  /// Why the worker ended, once its socket is closed.
  std::string end_text();
  std::string name() const;

  Component component_;
  IsolationLimits limits_;
  std::mutex mutex_;
  std::string broken_;  ///< why no call can be made any more; "" so far
  std::uint32_t executables_ = 0, lines_ = 0;
  std::unique_ptr<WorkerProcess> process_;
};

}  // namespace adze::host
