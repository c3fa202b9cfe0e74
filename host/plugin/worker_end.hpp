// Why a worker ended, in the words of the rules X01 to X08.
#pragma once

#include <cstdint>
#include <string>

#include "host/worker/process.hpp"

namespace adze::host {

/// A note of a worker that could not go on for a reason that is no fault of its plugin.
inline constexpr const char* kNoFault = "X00";

/// After the socket of `process` closed: waits for its end and says what it was: "it aborted (X02);
/// its last words: ...". `when` follows an exit (" in the middle of a call"); `memory_mb` is the
/// limit that the worker was given.
std::string describe_fault(WorkerProcess& process, std::uint64_t memory_mb,
                           const std::string& when = "");

}  // namespace adze::host
