// What the agent writes to FunctionFS before the gadget can be bound: see
// hil/link/usb/identity.hpp.
#pragma once

#include <cstddef>
#include <vector>

namespace adze::hil::usb {

/// The interface with its two bulk endpoints, at full, high and super speed, in the kernel's format
/// V2. The endpoint files come in this order: `ep1` takes what the host sends, `ep2` gives.
std::vector<std::byte> gadget_descriptors();
/// The interface's name.
std::vector<std::byte> gadget_strings();

}  // namespace adze::hil::usb
