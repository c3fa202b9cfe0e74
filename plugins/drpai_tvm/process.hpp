// A program of the toolchain: arguments as they are, no shell; watched, and killed with all it
// started.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace adze::drpai_tvm {

struct Command {
  std::vector<std::string> arguments;  ///< the program first; found in PATH when it has no '/'
  std::filesystem::path folder;        ///< where it runs
};

struct Outcome {
  int exit_code = -1;  ///< -1: a signal ended it
  int signal = 0;
  bool timed_out = false;
  std::string output;  ///< what it printed, both streams, the last 256 KiB
  bool ok() const { return exit_code == 0 && !timed_out; }
};

/// Runs until it ends, `limit` passes, or `stop` (asked several times a second, with the last line
/// printed) says so; in the last two cases it gets a moment to end by itself. Everything printed is
/// appended to `log`. Errors: NOT_FOUND and others when it cannot be started.
Outcome run_command(const Command& command, const std::filesystem::path& log,
                    std::chrono::milliseconds limit,
                    const std::function<bool(const std::string& line)>& stop);

}  // namespace adze::drpai_tvm
