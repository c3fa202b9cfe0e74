// A byte pipe to one board, whatever it runs over. Frames (host/base/frame.hpp) travel on it.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "host/base/deadline.hpp"

namespace adze::hil {

using host::Deadline;

/// One user at a time. Errors of all: RigError UNAVAILABLE (board gone, closed by the other side),
/// DEADLINE_EXCEEDED; the text says what was waited for.
class Link {
 public:
  virtual ~Link() = default;
  /// "usb:LAB0001", "sim:sim-01", "unix:/run/x.sock".
  virtual std::string name() const = 0;
  /// Returns when all bytes were handed to the transport.
  virtual void write(std::span<const std::byte> bytes, Deadline deadline) = 0;
  /// At least one byte; returns how many.
  virtual std::size_t read(std::span<std::byte> into, Deadline deadline) = 0;
  /// Forgets what is in flight in both directions, so that a new session starts clean: cancels
  /// transfers, clears a stall, throws away received bytes.
  virtual void reset() = 0;
  /// The secret that a hello on this link shows, or is to show; empty: the link itself says who is
  /// at the other end.
  virtual std::string token() const { return {}; }
  /// Bytes without borders: several small frames may go out in one write, which wakes the other
  /// side once. On USB a write is a transfer.
  virtual bool is_stream() const { return false; }
  /// Who says hello on this link; empty: client_name().
  virtual std::string client() const { return {}; }
};

/// A board that can be opened now.
struct FoundBoard {
  std::string address;   ///< what open_link() takes: "usb:LAB0001", "sim:sim-01"
  std::string link;      ///< "usb" | "unix"
  std::string serial;    ///< empty: none
  std::string location;  ///< USB port path "1-2.3", or socket path
};

/// `address`: usb:SERIAL | usb:PORTPATH (1-2.3) | ssh:[USER@]HOST[:PORT] | tcp:127.0.0.1:PORT |
/// unix:PATH | sim:ID (a socket in sim_directory()), or a bare id, tried as sim: and then as usb:.
/// ssh: starts `adze-agent --stdio` there by the ssh of this machine and its configuration, or that
/// in $ADZE_SSH_CONFIG; tcp: shows the token of token_file(). Errors: RigError UNAVAILABLE when the
/// board is not there (naming those that are), FAILED_PRECONDITION when two boards answer to the
/// address.
std::unique_ptr<Link> open_link(const std::string& address, Deadline deadline);
/// All boards on all links, sorted by address. Opens nothing that is not ours.
std::vector<FoundBoard> find_boards();
/// Where simulated boards put their sockets: $XDG_RUNTIME_DIR/adze or /tmp/adze-<uid>, mode 0700.
std::string sim_directory();

}  // namespace adze::hil
