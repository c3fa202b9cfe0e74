// SHA-256, the hash of every artifact, bundle and result.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>

namespace adze::host {

using Sha256 = std::array<std::byte, 32>;

Sha256 sha256(std::span<const std::byte> bytes);
/// 64 lower case hexadecimal digits.
std::string hex(std::span<const std::byte> bytes);
inline std::string sha256_hex(std::span<const std::byte> bytes) { return hex(sha256(bytes)); }

}  // namespace adze::host
