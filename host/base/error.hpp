// The one exception of the host and of hil/, and how it becomes an exit code.
#pragma once

#include <adze/abi.h>

#include <stdexcept>
#include <string>

namespace adze::host {

/// Exit codes of every program here (design: verdicts are PASS, DONE, SKIP 0; FAIL, ERROR 1; MISS
/// 75).
enum class Exit : int { ok = 0, failed = 1, usage = 2, internal = 70, rig = 75 };

/// The command cannot go on. `what()` says what failed, on what, why, and what to try. The code is
/// one of adze_status.
struct Error : std::runtime_error {
  Error(adze_status why, const std::string& text) : std::runtime_error(text), code(why) {}
  adze_status code;
  virtual Exit exit() const { return code == ADZE_INTERNAL ? Exit::internal : Exit::usage; }
};

/// A plugin failed, crashed, or broke a rule of the ABI: the tested thing is wrong, not the user.
struct PluginError : Error {
  using Error::Error;
  Exit exit() const override { return Exit::failed; }
};

/// The rig failed: board gone, link broken, agent answers garbage or not at all. Nothing is known
/// about the model; another attempt may pass.
struct RigError : Error {
  using Error::Error;
  Exit exit() const override { return Exit::rig; }
};

/// The name of a status in lower case words ("invalid argument"); "unknown" for other numbers.
const char* status_name(adze_status status);

}  // namespace adze::host
