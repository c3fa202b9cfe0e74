// How a board's agent shows itself on USB: what the link looks for, and what a gadget must offer.
//
// One vendor-specific interface with one bulk endpoint in each direction carries the byte stream.
// USB ends a request for data at a packet shorter than the endpoint's packet size; so each side
// makes sure that what it sends last is such a short packet, by sending the last byte on its own
// when the length is a multiple of the packet size. Zero-length packets are never needed.
#pragma once

#include <cstdint>

namespace adze::hil::usb {

/// The interface triple. Subclass 0x42 belongs to fastboot and adb, whose tools would claim it.
inline constexpr std::uint8_t kInterfaceClass = 0xff;
inline constexpr std::uint8_t kInterfaceSubclass = 0xad;
inline constexpr std::uint8_t kInterfaceProtocol = 0x01;
/// The interface's string descriptor; vendor-specific triples are nobody's for sure.
inline constexpr const char* kInterfaceName = "adze";

/// What a gadget without numbers of its own uses (Linux Foundation, multifunction gadget). The link
/// does not look at them: a lab has boards of many vendors.
inline constexpr std::uint16_t kVendorId = 0x1d6b;
inline constexpr std::uint16_t kProductId = 0x0104;

/// Control request to the interface (vendor, host to device, no data): the host begins a session.
/// The agent drops what it has received and what it was about to send, as if a new connection had
/// been made; so a host that died in the middle of a frame leaves nothing behind. An agent that
/// closes the connection by itself stalls both endpoints after the last byte.
inline constexpr std::uint8_t kRequestBegin = 0x01;
/// Likewise: the host ends it. The agent lets go of the board as when a connection is closed; what
/// was sent before has arrived.
inline constexpr std::uint8_t kRequestEnd = 0x02;

}  // namespace adze::hil::usb
