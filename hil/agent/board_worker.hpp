// The child process in which bundles run: what hangs or crashes there leaves the agent alive.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "hil/protocol/messages.hpp"
#include "host/worker/process.hpp"
#include "host/worker/shared_buffer.hpp"

namespace adze::hil {

class BoardWorker {
 public:
  struct Options {
    std::filesystem::path program;  ///< adze-worker
    std::filesystem::path plugin;
    std::string component;
    std::vector<std::string> settings;  ///< NAME=VALUE
    std::uint32_t threads = 1;
  };
  /// Called at least ten times a second while the worker works; throws to give up, which kills it.
  using Pulse = std::function<void(double fraction, const char* doing)>;

  struct Timed {
    RunReply reply;
    std::vector<host::SharedBuffer> outputs;
    host::SharedBuffer times;
  };

  explicit BoardWorker(Options options) : options_(std::move(options)) {}

  // Errors of all: PluginError ABORTED when the worker died, DEADLINE_EXCEEDED when it was killed
  // for taking too long; what the worker itself reported.

  /// In a fresh process.
  void load(const std::filesystem::path& slot, host::Deadline deadline, const Pulse& pulse);
  Timed run(const RunRequest& request, const std::vector<std::vector<std::byte>>& inputs,
            host::Deadline deadline, const Pulse& pulse);
  /// The bytes of a ProfileReply.
  std::vector<std::byte> profile(host::Deadline deadline, const Pulse& pulse);
  void stop() { process_.reset(); }
  bool running() const { return process_ != nullptr; }
  const std::string& component() const { return options_.component; }

 private:
  host::Frame ask(std::vector<std::byte> payload, std::span<const host::OwnedFd> descriptors,
                  const char* doing, host::Deadline deadline, const Pulse& pulse);

  Options options_;
  std::unique_ptr<host::WorkerProcess> process_;
  std::uint32_t seq_ = 0;
};

}  // namespace adze::hil
