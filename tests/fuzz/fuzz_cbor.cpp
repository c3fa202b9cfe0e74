// Control messages as they arrive.
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "host/base/cbor.hpp"
#include "host/base/error.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace adze::host;
  try {
    const auto value = decode_cbor(std::as_bytes(std::span(data, size)), "the input");
    decode_cbor(encode_cbor(value), "the same again", {.max_bytes = 1u << 20, .max_depth = 16});
  } catch (const Error& error) {
    if (error.code != ADZE_DATA_LOSS) std::abort();
  }
  return 0;
}
