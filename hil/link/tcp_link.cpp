#include "hil/link/tcp_link.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include "host/base/error.hpp"

namespace adze::hil {
namespace {

using host::Error;
using host::RigError;

class TcpLink : public SocketLink {
 public:
  TcpLink(OwnedFd fd, std::string name, std::string token)
      : SocketLink(std::move(fd), std::move(name)), token_(std::move(token)) {}
  std::string token() const override { return token_; }

 private:
  std::string token_;
};

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

[[noreturn]] void refuse(const std::string& address, const std::string& why) {
  throw Error(ADZE_INVALID_ARGUMENT, "'tcp:" + address + "': " + why +
                                         "; it wants tcp:127.0.0.1:PORT, tcp:localhost:PORT or "
                                         "tcp:[::1]:PORT; reach other machines by ssh:USER@HOST");
}

Address parse(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) refuse(text, "there is no port");
  std::string host = text.substr(0, colon);
  const std::string_view port_text = std::string_view(text).substr(colon + 1);
  std::uint16_t port = 0;
  const char* end = port_text.data() + port_text.size();
  const auto [at, error] = std::from_chars(port_text.data(), end, port);
  if (port_text.empty() || error != std::errc() || at != end) refuse(text, "the port is no number");
  if (host == "localhost") host = "127.0.0.1";
  Address address;
  sockaddr_in four{.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {}, .sin_zero = {}};
  sockaddr_in6 six{};
  if (::inet_pton(AF_INET, host.c_str(), &four.sin_addr) == 1) {
    if (ntohl(four.sin_addr.s_addr) >> 24 != 127) refuse(text, "it is not this machine");
    std::memcpy(&address.storage, &four, sizeof four);
    address.size = sizeof four;
    return address;
  }
  six.sin6_family = AF_INET6;
  six.sin6_port = htons(port);
  if (host != "[::1]" || ::inet_pton(AF_INET6, "::1", &six.sin6_addr) != 1)
    refuse(text, "it is not this machine");
  std::memcpy(&address.storage, &six, sizeof six);
  address.size = sizeof six;
  return address;
}

OwnedFd make_tcp_socket(const Address& address) {
  OwnedFd fd(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd)
    throw Error(ADZE_RESOURCE_EXHAUSTED,
                std::string("cannot make a TCP socket: ") + std::strerror(errno));
  return fd;
}

/// Small frames go out at once: a request waits for its answer.
void no_delay(int fd) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace

void require_loopback(const std::string& address) { parse(address); }

std::unique_ptr<Link> connect_tcp(const std::string& text, std::string token, Deadline deadline) {
  Address address = parse(text);
  OwnedFd fd = make_tcp_socket(address);
  int error = ::connect(fd.get(), address.get(), address.size) ? errno : 0;
  if (error == EINPROGRESS) {
    socklen_t size = sizeof error;
    if (!wait_for(fd.get(), POLLOUT, deadline))
      error = ETIMEDOUT;
    else if (::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size))
      error = errno;
  }
  if (error)
    throw RigError(ADZE_UNAVAILABLE,
                   "cannot reach a board at tcp:" + text + ": " + std::strerror(error) +
                       "; start its agent with --listen tcp:" + text + " --token-file FILE");
  no_delay(fd.get());
  return std::make_unique<TcpLink>(std::move(fd), "tcp:" + text, std::move(token));
}

TcpListener::TcpListener(const std::string& text, std::string token)
    : address_(text), token_(std::move(token)) {
  Address address = parse(text);
  fd_ = make_tcp_socket(address);
  const int on = 1;
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(fd_.get(), address.get(), address.size) || ::listen(fd_.get(), 8))
    throw Error(ADZE_FAILED_PRECONDITION,
                "cannot listen at tcp:" + text + ": " + std::strerror(errno));
  ::getsockname(fd_.get(), address.get(), &address.size);
  in_port_t port = 0;  // at the same place in both families
  std::memcpy(&port, reinterpret_cast<const char*>(&address.storage) + sizeof(sa_family_t),
              sizeof port);
  address_ = text.substr(0, text.rfind(':') + 1) + std::to_string(ntohs(port));
}

std::unique_ptr<Link> TcpListener::accept(Deadline deadline) {
  if (!wait_for(fd_.get(), POLLIN, deadline)) return nullptr;
  OwnedFd client(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!client) return nullptr;  // it went away again
  no_delay(client.get());
  return std::make_unique<TcpLink>(std::move(client), name(), token_);
}

}  // namespace adze::hil
