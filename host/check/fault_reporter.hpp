// Says which memory a plugin touched when it must not have, before the process dies of it.
#pragma once

#include "host/base/protected_memory.hpp"

namespace adze::host::check {

/// Takes SIGSEGV and SIGBUS of this process: an address within a WatchedRange is explained on
/// stderr; then the signal does what it always does.
void report_faults();

}  // namespace adze::host::check
