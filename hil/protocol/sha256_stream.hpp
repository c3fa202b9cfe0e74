// SHA-256 of what comes in pieces.
#pragma once

#include <sodium.h>

#include "host/base/hash.hpp"

namespace adze::hil {

class Sha256Stream {
 public:
  Sha256Stream() { crypto_hash_sha256_init(&state_); }
  void add(std::span<const std::byte> bytes) {
    crypto_hash_sha256_update(&state_, reinterpret_cast<const unsigned char*>(bytes.data()),
                              bytes.size());
  }
  /// Ends the stream.
  std::string hex() {
    host::Sha256 digest;
    crypto_hash_sha256_final(&state_, reinterpret_cast<unsigned char*>(digest.data()));
    return host::hex(digest);
  }

 private:
  crypto_hash_sha256_state state_;
};

}  // namespace adze::hil
