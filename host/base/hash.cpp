#include "host/base/hash.hpp"

#include <sodium.h>

namespace adze::host {

Sha256 sha256(std::span<const std::byte> bytes) {
  static_assert(std::tuple_size_v<Sha256> == crypto_hash_sha256_BYTES);
  Sha256 digest;
  crypto_hash_sha256(reinterpret_cast<unsigned char*>(digest.data()),
                     reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  return digest;
}

std::string hex(std::span<const std::byte> bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::byte b : bytes) {
    text += kDigits[static_cast<unsigned>(b) >> 4];
    text += kDigits[static_cast<unsigned>(b) & 15];
  }
  return text;
}

}  // namespace adze::host
