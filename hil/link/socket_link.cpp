#include "hil/link/socket_link.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <limits>

#include "host/base/error.hpp"

namespace adze::hil {
namespace {

using host::Error;
using host::RigError;

void set_nonblocking(int fd) { ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK); }

[[noreturn]] void gone(const std::string& name, const std::string& how) {
  throw RigError(ADZE_UNAVAILABLE, "lost the board at " + name + ": " + how +
                                       "; check that its agent is running, then try again");
}

sockaddr_un address_of(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string text = path.string();
  if (text.size() >= sizeof address.sun_path)
    throw Error(ADZE_INVALID_ARGUMENT, "the socket path '" + text + "' is longer than " +
                                           std::to_string(sizeof address.sun_path - 1) +
                                           " bytes; choose a shorter one");
  std::memcpy(address.sun_path, text.data(), text.size());
  return address;
}

OwnedFd make_socket() {
  OwnedFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd)
    throw Error(ADZE_RESOURCE_EXHAUSTED,
                std::string("cannot make a socket: ") + std::strerror(errno));
  return fd;
}

/// 0, or the error number.
int try_connect(int fd, const sockaddr_un& address) {
  return ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) ? errno : 0;
}

}  // namespace

bool wait_for(int fd, short events, Deadline deadline) {
  for (;;) {
    pollfd entry{.fd = fd, .events = events, .revents = 0};
    const auto left =
        std::min<std::int64_t>(host::remaining_ms(deadline), std::numeric_limits<int>::max());
    const int ready = ::poll(&entry, 1, static_cast<int>(left));
    if (ready > 0) return true;
    if (ready == 0) return false;
    if (errno != EINTR)
      throw Error(ADZE_INTERNAL, std::string("cannot wait for a socket: ") + std::strerror(errno));
  }
}

SocketLink::SocketLink(OwnedFd fd, std::string name)
    : in_(std::move(fd)), is_socket_(true), name_(std::move(name)) {
  set_nonblocking(in());
}

SocketLink::SocketLink(OwnedFd in, OwnedFd out, std::string name)
    : in_(std::move(in)), out_(std::move(out)), is_socket_(false), name_(std::move(name)) {
  set_nonblocking(in_.get());
  set_nonblocking(out_.get());
}

void SocketLink::write(std::span<const std::byte> bytes, Deadline deadline) {
  while (!bytes.empty()) {
    const ssize_t put = is_socket_ ? ::send(out(), bytes.data(), bytes.size(), MSG_NOSIGNAL)
                                   : ::write(out(), bytes.data(), bytes.size());
    if (put >= 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(put));
      continue;
    }
    if (errno == EINTR) continue;
    if (errno == EPIPE || errno == ECONNRESET) gone(name_, "the other side closed the connection");
    if (errno != EAGAIN) gone(name_, std::string("cannot send: ") + std::strerror(errno));
    if (!wait_for(out(), POLLOUT, deadline))
      throw RigError(ADZE_DEADLINE_EXCEEDED, "waited too long for the board at " + name_ +
                                                 " to take " + std::to_string(bytes.size()) +
                                                 " bytes; its agent may hang: restart it");
  }
}

std::size_t SocketLink::read(std::span<std::byte> into, Deadline deadline) {
  for (;;) {
    const ssize_t got = is_socket_ ? ::recv(in(), into.data(), into.size(), 0)
                                   : ::read(in(), into.data(), into.size());
    if (got > 0) return static_cast<std::size_t>(got);
    if (got == 0) gone(name_, "the other side closed the connection");
    if (errno == EINTR) continue;
    if (errno != EAGAIN) gone(name_, std::string("cannot receive: ") + std::strerror(errno));
    if (!wait_for(in(), POLLIN, deadline))
      throw RigError(ADZE_DEADLINE_EXCEEDED,
                     "waited too long for the board at " + name_ + " to answer");
  }
}

void SocketLink::reset() {
  std::array<std::byte, 1 << 16> waste;
  while ((is_socket_ ? ::recv(in(), waste.data(), waste.size(), 0)
                     : ::read(in(), waste.data(), waste.size())) > 0) {
  }
}

std::unique_ptr<Link> connect_unix(const std::filesystem::path& path, std::string name,
                                   Deadline deadline) {
  const sockaddr_un address = address_of(path);
  OwnedFd fd = make_socket();
  set_nonblocking(fd.get());
  int error = try_connect(fd.get(), address);
  // EAGAIN: the listener's queue is full, and there is nothing to poll for.
  while (error == EAGAIN && host::remaining_ms(deadline) > 0) {
    ::usleep(10'000);
    error = try_connect(fd.get(), address);
  }
  if (error)
    throw RigError(ADZE_UNAVAILABLE, "cannot reach the board " + name + " at '" + path.string() +
                                         "': " + std::strerror(error) +
                                         "; start its agent, or see `adze board list`");
  return std::make_unique<SocketLink>(std::move(fd), std::move(name));
}

std::pair<std::unique_ptr<Link>, std::unique_ptr<Link>> make_socket_pair(const std::string& name) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
    throw Error(ADZE_RESOURCE_EXHAUSTED,
                std::string("cannot make a socket pair: ") + std::strerror(errno));
  return {std::make_unique<SocketLink>(OwnedFd(ends[0]), name),
          std::make_unique<SocketLink>(OwnedFd(ends[1]), name)};
}

UnixListener::UnixListener(const std::filesystem::path& path)
    : path_(std::filesystem::absolute(path)), fd_(make_socket()) {
  const sockaddr_un address = address_of(path_);
  const OwnedFd probe = make_socket();
  const int error = try_connect(probe.get(), address);
  if (error == 0)
    throw Error(ADZE_ALREADY_EXISTS, "cannot listen at '" + path_.string() +
                                         "': another agent does; stop it or choose another id");
  struct stat found {};
  if (error == ECONNREFUSED && ::lstat(path_.c_str(), &found) == 0 && S_ISSOCK(found.st_mode))
    ::unlink(path_.c_str());
  const mode_t before = ::umask(0177);
  const int bound = ::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int reason = errno;
  ::umask(before);
  if (bound || ::listen(fd_.get(), 8))
    throw Error(ADZE_FAILED_PRECONDITION, "cannot listen at '" + path_.string() +
                                              "': " + std::strerror(bound ? reason : errno));
  set_nonblocking(fd_.get());
}

UnixListener::~UnixListener() { ::unlink(path_.c_str()); }

std::unique_ptr<Link> UnixListener::accept(Deadline deadline) {
  if (!wait_for(fd_.get(), POLLIN, deadline)) return nullptr;
  OwnedFd client(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!client) return nullptr;  // it went away again
  return std::make_unique<SocketLink>(std::move(client), name());
}

}  // namespace adze::hil
