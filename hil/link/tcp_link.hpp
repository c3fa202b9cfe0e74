// A link over TCP to this machine itself: an agent behind a port forward, or in a container. Boards
// that are farther away are reached by `ssh:`, which encrypts and authenticates.
#pragma once

#include <cstdint>

#include "hil/link/socket_link.hpp"

namespace adze::hil {

/// `address`: "HOST:PORT", HOST one of 127.x.x.x, [::1], localhost. Errors: INVALID_ARGUMENT for
/// anything farther, RigError UNAVAILABLE when nobody listens.
std::unique_ptr<Link> connect_tcp(const std::string& address, std::string token, Deadline deadline);

/// Errors: INVALID_ARGUMENT for an address that connect_tcp() refuses.
void require_loopback(const std::string& address);

/// Only on loopback; clients must show the token.
class TcpListener : public Listener {
 public:
  /// Port 0: any that is free. Errors: as above; FAILED_PRECONDITION when the port is taken.
  TcpListener(const std::string& address, std::string token);
  std::unique_ptr<Link> accept(Deadline deadline) override;
  std::string name() const override { return "tcp:" + address_; }

 private:
  std::string address_, token_;
  OwnedFd fd_;
};

}  // namespace adze::hil
