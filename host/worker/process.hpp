// A child process that serves one plugin: started, watched, and killed with all it started.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "host/worker/channel.hpp"

namespace adze::host {

/// Protects against faults of the plugin, not against malice: no new privileges, its own process
/// group, dies with the thread that started it, no descriptors but its socket.
class WorkerProcess {
 public:
  /// `arguments` follow the program's name; the socket becomes descriptor 3 and `--fd 3` is
  /// appended. Errors: NOT_FOUND when there is no such program, RESOURCE_EXHAUSTED.
  WorkerProcess(const std::filesystem::path& program, std::vector<std::string> arguments);
  /// Kills it.
  ~WorkerProcess();
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  Channel& channel() { return channel_; }
  pid_t pid() const { return pid_; }
  /// Reads what it printed to stderr, so that a full pipe does not stop it. Call now and then.
  void drain_stderr();
  /// Kills the process group and waits for it. May be called twice.
  void kill();
  /// After its socket closed: waits a moment for it to end, kills it if it does not, and says how
  /// it ended with the last it printed: "it was killed by signal 11 (Segmentation fault)".
  std::string describe_end();
  /// The last it printed, for a message; empty or "; its last words: ...".
  std::string last_words();

 private:
  bool reap(bool wait);

  OwnedFd stderr_;
  Channel channel_;
  pid_t pid_ = -1;
  bool reaped_ = false;
  int status_ = 0;
  std::string printed_;
};

}  // namespace adze::host
