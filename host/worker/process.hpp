// A child process that serves one plugin: started, watched, and killed with all it started.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/worker/channel.hpp"

namespace adze::host {

/// How a worker ended.
struct WorkerEnd {
  bool alive = false;  ///< it closed its socket, did not end, and was killed
  int signal = 0;      ///< that ended it; 0: it exited
  int exit_code = 0;
};

/// Protects against faults of the plugin, not against malice: no new privileges, its own process
/// group, dies with the thread that started it, no descriptors but its socket.
class WorkerProcess {
 public:
  /// `arguments` follow the program's name; the socket becomes descriptor 3 and `--fd 3` is
  /// appended. `environment` ("NAME=value") replaces variables of this process. Errors: NOT_FOUND
  /// when there is no such program, RESOURCE_EXHAUSTED.
  WorkerProcess(const std::filesystem::path& program, std::vector<std::string> arguments,
                const std::vector<std::string>& environment = {});
  /// Kills it.
  ~WorkerProcess();
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  Channel& channel() { return channel_; }
  pid_t pid() const { return pid_; }
  /// Each line it prints to stdout or stderr goes to `take` from now on, as drain() meets it.
  void on_line(std::function<void(std::string_view line)> take) { take_line_ = std::move(take); }
  /// The processor time it has used.
  std::int64_t computed_ms() const;
  /// Reads what it printed, so that a full pipe does not stop it. Call now and then, or use
  /// receive_before().
  void drain();
  /// As Channel::receive_before(), and drains meanwhile.
  std::optional<Frame> receive_before(Deadline deadline);
  /// Kills the process group and waits for it. May be called twice.
  void kill();
  /// After its socket closed: waits a moment for it to end, kills it if it does not, and says how
  /// it ended with the last it printed: "it was killed by signal 11 (Segmentation fault)".
  std::string describe_end();
  /// The same as figures.
  WorkerEnd end();
  /// "X03 it wrote to ...": what the worker itself found out about its end; empty: nothing.
  const std::string& note() const { return note_; }
  /// The last it printed, for a message; empty or "; its last words: ...".
  std::string last_words();

 private:
  bool reap(bool wait);
  void take_line(std::string_view line);

  OwnedFd output_;
  Channel channel_;
  pid_t pid_ = -1;
  bool reaped_ = false;
  int status_ = 0;
  std::string printed_, partial_line_, note_;
  std::function<void(std::string_view)> take_line_;
};

/// First byte of a line in which a dying worker says why.
inline constexpr char kWorkerNote = '\x1e';
/// Exit code of a worker whose socket no longer works, for when it cannot say so either.
inline constexpr int kLostSocketExit = 76;

}  // namespace adze::host
