// The agent's end of USB: a gadget of Linux' FunctionFS, mounted and bound by `adze-gadget`.
#pragma once

#include <filesystem>
#include <memory>

#include "hil/link/socket_link.hpp"

namespace adze::hil {

/// Makes the function that a FunctionFS mounted at `directory` stands for, and waits for sessions
/// of the host, one at a time. The gadget leaves the bus with the listener. Errors: Error
/// FAILED_PRECONDITION when nothing is mounted there or another agent uses it.
std::unique_ptr<Listener> open_gadget(const std::filesystem::path& directory);

}  // namespace adze::hil
