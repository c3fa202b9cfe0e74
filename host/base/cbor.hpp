// CBOR for control messages and manifests, decoded within limits.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

namespace adze::host {

struct CborLimits {
  std::size_t max_bytes = 64u << 10;
  std::size_t max_depth = 16;  ///< of nested arrays and maps
};

/// Errors: DATA_LOSS naming `what` for anything but exactly one well-formed item within the limits;
/// tags, items of indefinite length and maps that name a key twice are refused.
nlohmann::json decode_cbor(std::span<const std::byte> bytes, const std::string& what,
                           const CborLimits& limits = {});
/// Map keys sorted, definite lengths: the same bytes for the same value.
std::vector<std::byte> encode_cbor(const nlohmann::json& value);

}  // namespace adze::host
