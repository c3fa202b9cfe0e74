// A link over file descriptors of this machine: a Unix socket, a socket pair, or two pipes.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "hil/link/link.hpp"
#include "host/base/owned_fd.hpp"

namespace adze::hil {

using host::OwnedFd;

/// Never raises SIGPIPE on sockets; a program that uses pipes ignores the signal.
class SocketLink : public Link {
 public:
  /// `fd` is a connected stream socket, which the link owns.
  SocketLink(OwnedFd fd, std::string name);
  /// Two one-way descriptors (standard input and output), which the link owns.
  SocketLink(OwnedFd in, OwnedFd out, std::string name);

  std::string name() const override { return name_; }
  void write(std::span<const std::byte> bytes, Deadline deadline) override;
  std::size_t read(std::span<std::byte> into, Deadline deadline) override;
  void reset() override;

 private:
  int in() const { return in_.get(); }
  int out() const { return out_ ? out_.get() : in_.get(); }

  OwnedFd in_, out_;
  bool is_socket_;
  std::string name_;
};

/// Errors: RigError UNAVAILABLE when nobody listens at `path`, INVALID_ARGUMENT when the path is
/// too long for a socket.
std::unique_ptr<Link> connect_unix(const std::filesystem::path& path, std::string name,
                                   Deadline deadline);
/// Two connected ends.
std::pair<std::unique_ptr<Link>, std::unique_ptr<Link>> make_socket_pair(const std::string& name);

/// A Unix socket that waits for clients; its file (mode 0600) goes with it.
class UnixListener {
 public:
  /// Replaces the file that a dead listener left behind. Errors: ALREADY_EXISTS when somebody
  /// listens there.
  explicit UnixListener(const std::filesystem::path& path);
  ~UnixListener();
  UnixListener(const UnixListener&) = delete;
  UnixListener& operator=(const UnixListener&) = delete;
  /// nullptr when nobody came in time.
  std::unique_ptr<Link> accept(Deadline deadline);
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  OwnedFd fd_;
};

}  // namespace adze::hil
