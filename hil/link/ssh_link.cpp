#include "hil/link/ssh_link.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "host/base/error.hpp"

namespace adze::hil {
namespace {

using host::Error;
using host::RigError;

constexpr std::size_t kMostSaid = 2000;
constexpr std::int64_t kEndMs = 2000;

bool is_plain(const std::string& text) {
  return !text.empty() && text.front() != '-' &&
         std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return std::isalnum(c) || std::strchr(".-_@%", c); });
}

[[noreturn]] void refuse_destination(const std::string& destination) {
  throw Error(ADZE_INVALID_ARGUMENT,
              "'ssh:" + destination +
                  "' is no destination; use ssh:HOST, ssh:USER@HOST or "
                  "ssh:USER@HOST:PORT; other options go into the configuration of ssh");
}

/// Ends with its link; what it printed explains a link that closed.
class SshLink : public Link {
 public:
  explicit SshLink(const std::string& destination);
  ~SshLink() override;
  std::string name() const override { return pipe_->name(); }
  void write(std::span<const std::byte> bytes, Deadline deadline) override {
    explained([&] { pipe_->write(bytes, deadline); });
  }
  std::size_t read(std::span<std::byte> into, Deadline deadline) override {
    std::size_t got = 0;
    explained([&] { got = pipe_->read(into, deadline); });
    return got;
  }
  void reset() override { pipe_->reset(); }
  bool is_stream() const override { return true; }

 private:
  template <class Body>
  void explained(Body&& body) {
    try {
      body();
    } catch (const RigError& error) {
      drain(error.code == ADZE_UNAVAILABLE ? 200 : 0);
      if (said_.empty()) throw;
      throw RigError(error.code, std::string(error.what()) + "; ssh said: " + said_);
    }
  }
  void drain(std::int64_t wait_ms);

  pid_t pid_ = -1;
  OwnedFd errors_;
  std::unique_ptr<SocketLink> pipe_;
  std::string said_;
};

SshLink::SshLink(const std::string& destination) {
  std::vector<std::string> arguments = ssh_arguments(destination);
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  int data[2], errors[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, data) || ::pipe2(errors, O_CLOEXEC))
    throw Error(ADZE_RESOURCE_EXHAUSTED,
                std::string("cannot make pipes for ssh: ") + std::strerror(errno));
  const OwnedFd theirs(data[1]), their_errors(errors[1]);
  pipe_ = std::make_unique<SocketLink>(OwnedFd(data[0]), "ssh:" + destination);
  errors_ = OwnedFd(errors[0]);
  ::fcntl(errors_.get(), F_SETFL, O_NONBLOCK);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, theirs.get(), 0);
  ::posix_spawn_file_actions_adddup2(&actions, theirs.get(), 1);
  ::posix_spawn_file_actions_adddup2(&actions, their_errors.get(), 2);
  const int failed =
      ::posix_spawnp(&pid_, pointers[0], &actions, nullptr, pointers.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (failed) {
    pid_ = -1;
    throw Error(ADZE_NOT_FOUND, std::string("cannot start ssh: ") + std::strerror(failed) +
                                    "; install openssh-client");
  }
}

SshLink::~SshLink() {
  pipe_.reset();  // ssh and the agent see the end of their input
  if (pid_ < 0) return;
  const Deadline end = host::after_ms(kEndMs);
  bool asked = false;
  while (::waitpid(pid_, nullptr, WNOHANG) == 0) {
    if (host::remaining_ms(end) == 0) {
      ::kill(pid_, asked ? SIGKILL : SIGTERM);
      asked = true;
    }
    ::usleep(5'000);
  }
}

void SshLink::drain(std::int64_t wait_ms) {
  char piece[512];
  const Deadline end = host::after_ms(wait_ms);
  for (;;) {
    const ssize_t got = ::read(errors_.get(), piece, sizeof piece);
    if (got > 0)
      said_.append(piece, static_cast<std::size_t>(got));
    else if (got == 0 || errno != EAGAIN || !wait_for(errors_.get(), POLLIN, end))
      break;
  }
  if (said_.size() > kMostSaid) said_.erase(0, said_.size() - kMostSaid);
  while (!said_.empty() && (said_.back() == '\n' || said_.back() == '\r')) said_.pop_back();
}

}  // namespace

std::vector<std::string> ssh_arguments(const std::string& destination) {
  const std::size_t colon = destination.rfind(':');
  const std::string host = destination.substr(0, colon);
  if (!is_plain(host)) refuse_destination(destination);
  std::vector<std::string> arguments{"ssh", "-T"};
  if (const char* config = ::secure_getenv("ADZE_SSH_CONFIG"))
    arguments.insert(arguments.end(), {"-F", config});
  // Nobody is there to type a password, and a dead network is noticed.
  for (const char* option : {"BatchMode=yes", "ConnectTimeout=10", "ServerAliveInterval=5",
                             "ServerAliveCountMax=3", "ClearAllForwardings=yes"})
    arguments.insert(arguments.end(), {"-o", option});
  if (colon != std::string::npos) {
    const std::string port = destination.substr(colon + 1);
    if (port.empty() || port.size() > 5 ||
        port.find_first_not_of("0123456789") != std::string::npos)
      refuse_destination(destination);
    arguments.insert(arguments.end(), {"-p", port});
  }
  arguments.insert(arguments.end(), {"--", host, "adze-agent", "--stdio"});
  return arguments;
}

std::unique_ptr<Link> open_ssh(const std::string& destination) {
  return std::make_unique<SshLink>(destination);
}

}  // namespace adze::hil
