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
  bool is_stream() const override { return true; }

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

/// False when the deadline passed before `events` of poll(2).
bool wait_for(int fd, short events, Deadline deadline);

/// Waits for clients.
class Listener {
 public:
  virtual ~Listener() = default;
  /// nullptr when nobody came in time.
  virtual std::unique_ptr<Link> accept(Deadline deadline) = 0;
  /// What open_link() takes.
  virtual std::string name() const = 0;
};

/// On a Unix socket, whose file (mode 0600) goes with it.
class UnixListener : public Listener {
 public:
  /// Replaces the file that a dead listener left behind. Errors: ALREADY_EXISTS when somebody
  /// listens there.
  explicit UnixListener(const std::filesystem::path& path);
  ~UnixListener() override;
  UnixListener(const UnixListener&) = delete;
  UnixListener& operator=(const UnixListener&) = delete;
  std::unique_ptr<Link> accept(Deadline deadline) override;
  std::string name() const override { return "unix:" + path_.string(); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  OwnedFd fd_;
};

}  // namespace adze::hil
