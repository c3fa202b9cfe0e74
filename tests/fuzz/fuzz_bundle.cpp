// Bundles as somebody may send them to a board.
#include <cstdlib>

#include "hil/protocol/bundle.hpp"
#include "host/base/error.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace adze::hil;
  const auto source = memory_source(std::as_bytes(std::span(data, size)));
  try {
    const Bundle bundle(*source);
    bundle.verify();
    bundle.signed_by({.keys = {}, .allow_unsigned = true});
  } catch (const adze::host::Error& error) {
    if (error.code != ADZE_DATA_LOSS && error.code != ADZE_UNIMPLEMENTED) std::abort();
  }
  return 0;
}
