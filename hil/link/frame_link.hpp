// Whole frames over a link.
#pragma once

#include <optional>
#include <vector>

#include "hil/link/link.hpp"
#include "host/base/frame.hpp"

namespace adze::hil {

/// One user at a time, like the link under it, which must outlive it.
class FrameLink {
 public:
  explicit FrameLink(Link& link) : link_(link), buffer_(kReadBytes) {}

  /// Whether a frame goes out at once, or may wait for flush() on a link that is a stream.
  enum class Send { now, with_more };
  /// The header goes out in a write of its own (a short packet) on a link that is no stream.
  /// `payload` is what is sent; frame.payload is not looked at, so that large tensors are not
  /// copied. Errors: RigError.
  void send(const host::Frame& frame, std::span<const std::byte> payload, Deadline deadline,
            Send when = Send::now);
  void send(const host::Frame& frame, Deadline deadline, Send when = Send::now) {
    send(frame, frame.payload, deadline, when);
  }
  /// Hands what waits to the link. Errors: RigError.
  void flush(Deadline deadline);
  /// Errors: RigError DEADLINE_EXCEEDED or UNAVAILABLE of the link, FrameError.
  host::Frame receive(Deadline deadline);
  /// nullopt when no whole frame came in time; nothing is lost then.
  std::optional<host::Frame> receive_before(Deadline deadline);
  /// Throws away what is in flight. A new session starts after it.
  void reset();

  Link& link() { return link_; }

 private:
  static constexpr std::size_t kReadBytes = 256u << 10;
  /// Frames that wait, together.
  static constexpr std::size_t kMostWaitingBytes = 64u << 10;
  Link& link_;
  host::FrameDecoder decoder_;
  std::vector<std::byte> buffer_, waiting_;
};

}  // namespace adze::hil
