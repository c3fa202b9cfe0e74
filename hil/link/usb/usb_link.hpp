// Boards on USB.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "hil/link/link.hpp"

namespace adze::hil {

/// Opens the one board with this serial number or at this port path ("1-2.3") and begins a session.
/// Throws RigError: UNAVAILABLE when no such board is there (naming those that are) or another
/// program uses it, FAILED_PRECONDITION when two boards answer to the name, PERMISSION_DENIED when
/// this user may not open it, DEADLINE_EXCEEDED when it does not answer.
std::unique_ptr<Link> open_usb(const std::string& serial_or_port_path, Deadline deadline);

/// The boards on all USB ports, sorted by address. Devices of others are recognized by their
/// descriptors and never opened.
std::vector<FoundBoard> find_usb_boards();

}  // namespace adze::hil
