// Frames and file descriptors between a program and its worker, over a socket pair.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "host/base/deadline.hpp"
#include "host/base/frame.hpp"
#include "host/base/owned_fd.hpp"

namespace adze::host {

/// The other side closed the socket: the worker ended, or its owner did.
struct ChannelClosed : RigError {
  using RigError::RigError;
};

class Channel {
 public:
  explicit Channel(OwnedFd socket);

  /// Descriptors travel with the frame, in order; the caller keeps its own.
  void send(const Frame& frame, std::span<const OwnedFd> descriptors, Deadline deadline);
  /// nullopt when no whole frame came in time. Errors: ChannelClosed, FrameError.
  std::optional<Frame> receive_before(Deadline deadline);
  /// The two halves of receive_before(), for whoever waits for more than this socket: a frame that
  /// has come, and reading what the socket has now. Errors: as receive_before().
  std::optional<Frame> next() { return decoder_.next(); }
  void read_now() { read_some(); }
  /// Reads what comes within microseconds; false: nothing did, or it is not worth looking.
  bool read_soon();
  /// The next `count` descriptors that came with frames. Errors: DATA_LOSS when there are fewer.
  std::vector<OwnedFd> take_descriptors(std::size_t count);
  int fd() const { return socket_.get(); }

 private:
  bool read_some();

  OwnedFd socket_;
  FrameDecoder decoder_;
  std::deque<OwnedFd> descriptors_;
  std::vector<std::byte> buffer_;
  std::uint32_t disappointments_ = 0;  ///< of read_soon() in a row
};

/// Closes `socket` in every process that this one forks: what a plugin forks must neither speak for
/// the worker nor hide from its owner that it ended. Once a process.
void keep_from_forks(int socket);

/// Two connected ends. Errors: RESOURCE_EXHAUSTED.
std::pair<OwnedFd, OwnedFd> make_channel_pair();

}  // namespace adze::host
