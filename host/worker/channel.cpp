#include "host/worker/channel.hpp"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "host/base/error.hpp"

namespace adze::host {
namespace {

constexpr std::size_t kMaxDescriptors = 64;  ///< in one frame, and waiting to be taken

bool wait_for(int fd, short events, Deadline deadline) {
  for (;;) {
    pollfd entry{.fd = fd, .events = events, .revents = 0};
    const auto left = std::min<std::int64_t>(remaining_ms(deadline), 1 << 30);
    const int ready = ::poll(&entry, 1, static_cast<int>(left));
    if (ready > 0) return true;
    if (ready == 0) return false;
    if (errno != EINTR)
      throw Error(ADZE_INTERNAL, std::string("cannot wait for a worker: ") + std::strerror(errno));
  }
}

}  // namespace

Channel::Channel(OwnedFd socket) : socket_(std::move(socket)), buffer_(256u << 10) {
  ::fcntl(fd(), F_SETFL, ::fcntl(fd(), F_GETFL) | O_NONBLOCK);
}

void Channel::send(const Frame& frame, std::span<const OwnedFd> descriptors, Deadline deadline) {
  if (descriptors.size() > kMaxDescriptors)
    throw Error(ADZE_OUT_OF_RANGE, "more than " + std::to_string(kMaxDescriptors) +
                                       " tensors in one message to or from a worker");
  const std::vector<std::byte> bytes = encode_frame(frame);
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMaxDescriptors * sizeof(int))> control{};
  std::span<const std::byte> left = bytes;
  bool attach = !descriptors.empty();
  while (!left.empty()) {
    iovec part{.iov_base = const_cast<std::byte*>(left.data()), .iov_len = left.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (attach) {
      message.msg_control = control.data();
      message.msg_controllen = CMSG_SPACE(descriptors.size() * sizeof(int));
      cmsghdr* header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(descriptors.size() * sizeof(int));
      for (std::size_t i = 0; i < descriptors.size(); ++i) {
        const int descriptor = descriptors[i].get();
        std::memcpy(CMSG_DATA(header) + i * sizeof(int), &descriptor, sizeof descriptor);
      }
    }
    const ssize_t put = ::sendmsg(fd(), &message, MSG_NOSIGNAL);
    if (put > 0) {
      attach = false;
      left = left.subspan(static_cast<std::size_t>(put));
    } else if (errno == EPIPE || errno == ECONNRESET) {
      throw ChannelClosed(ADZE_UNAVAILABLE, "the other side of a worker's socket is gone");
    } else if (errno == EAGAIN) {
      if (!wait_for(fd(), POLLOUT, deadline))
        throw RigError(ADZE_DEADLINE_EXCEEDED, "a worker's socket takes no more bytes");
    } else if (errno != EINTR) {
      throw RigError(ADZE_UNAVAILABLE,
                     std::string("cannot send to or from a worker: ") + std::strerror(errno));
    }
  }
}

/// False when nothing is there now.
bool Channel::read_some() {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMaxDescriptors * sizeof(int))> control{};
  iovec part{.iov_base = buffer_.data(), .iov_len = buffer_.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t got = ::recvmsg(fd(), &message, MSG_CMSG_CLOEXEC);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (got <= 0)
    throw ChannelClosed(ADZE_UNAVAILABLE, "the other side of a worker's socket is gone");
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int descriptor = -1;
      std::memcpy(&descriptor, CMSG_DATA(header) + i * sizeof(int), sizeof descriptor);
      descriptors_.emplace_back(descriptor);
    }
  }
  if ((message.msg_flags & MSG_CTRUNC) || descriptors_.size() > kMaxDescriptors)
    throw RigError(ADZE_DATA_LOSS, "a worker's other side sent too many file descriptors");
  decoder_.push(std::span(buffer_).first(static_cast<std::size_t>(got)));
  return true;
}

bool Channel::read_soon() {
  // To sleep and be woken takes longer than most answers do. But where nothing comes soon, because
  // the other side computes or the machine is busy, only every so many times is worth a look.
  constexpr std::uint32_t kPatient = 4, kNowAndThen = 64;
  constexpr std::chrono::microseconds kSoon(40);
  if (disappointments_ >= kPatient && ++disappointments_ % kNowAndThen) return false;
  const Deadline deadline = std::chrono::steady_clock::now() + kSoon;
  do {
    if (!read_some()) continue;
    disappointments_ = 0;
    return true;
  } while (std::chrono::steady_clock::now() < deadline);
  ++disappointments_;
  return false;
}

std::optional<Frame> Channel::receive_before(Deadline deadline) {
  for (;;) {
    if (auto frame = decoder_.next()) return frame;
    if (read_soon()) continue;
    if (!wait_for(fd(), POLLIN, deadline)) return std::nullopt;
    read_some();
  }
}

std::vector<OwnedFd> Channel::take_descriptors(std::size_t count) {
  if (count > descriptors_.size())
    throw RigError(ADZE_DATA_LOSS, "a worker's other side announced " + std::to_string(count) +
                                       " tensors and sent " + std::to_string(descriptors_.size()));
  std::vector<OwnedFd> taken;
  for (std::size_t i = 0; i < count; ++i) {
    taken.push_back(std::move(descriptors_.front()));
    descriptors_.pop_front();
  }
  return taken;
}

void keep_from_forks(int socket) {
  static int kept = -1;
  kept = socket;
  ::pthread_atfork(nullptr, nullptr, [] { ::close(kept); });
}

std::pair<OwnedFd, OwnedFd> make_channel_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
    throw Error(ADZE_RESOURCE_EXHAUSTED,
                std::string("cannot make a socket pair: ") + std::strerror(errno));
  return {OwnedFd(ends[0]), OwnedFd(ends[1])};
}

}  // namespace adze::host
