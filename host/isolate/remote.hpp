// In the host: one component in a worker process, and what its functions call back.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "host/abi/call.hpp"
#include "host/base/error.hpp"
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
  /// The request, and before it the constants that the worker does not have.
  void send(Verb verb, const Writer& request);
  adze_status exchange(adze_call* call, Verb verb, const Writer& request, const TakeResult& take);
  void listen(std::string_view line);
  /// What a call has logged, by level.
  struct LogQuota {
    std::array<std::uint32_t, 4> lines{};
    bool is_exceeded = false;
  };
  /// Whether a line may be shown; says so once when no more are.
  bool may_log(adze_call* call, Reader line, LogQuota& quota);
  PluginError no_sign_of_life(std::int64_t patience_ms, const LogQuota& quota);
  std::string name() const;

  Component component_;
  IsolationLimits limits_;
  std::mutex mutex_;
  std::string broken_;  ///< why no call can be made any more; "" so far
  std::uint32_t executables_ = 0, lines_ = 0;
  std::set<std::uint64_t> kept_;  ///< ids of the constants that the worker has
  std::unique_ptr<WorkerProcess> process_;
};

}  // namespace adze::host
