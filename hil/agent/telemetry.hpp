// What the board's kernel says about clocks, heat and load.
#pragma once

#include <string>

#include "hil/protocol/messages.hpp"

namespace adze::hil {

/// At most 100 ms old. [any] thread.
Telemetry read_telemetry();
/// "Linux 6.1.0"
std::string kernel_version();
std::string machine();  ///< "aarch64"
/// Changes with each start of the board.
std::string kernel_boot_id();

}  // namespace adze::hil
