// Bundles as somebody may send them to a board that trusts one key. Nobody here has that key but
// for the seeds, so what passes as signed is one of them.
#include <cstdlib>
#include <string_view>

#include "hil/protocol/bundle.hpp"
#include "host/base/error.hpp"

namespace {

using namespace adze::hil;

/// Of the key whose seed is 32 times 'a', which signed tests/fuzz/corpus/fuzz_bundle/signed-*.
const Trust& trust() {
  static const Trust made = [] {
    std::array<std::byte, 32> seed;
    seed.fill(std::byte{'a'});
    return Trust{.keys = {{"seeds", key_pair_of(seed).public_key}}};
  }();
  return made;
}

/// The models of the seeds that are signed.
bool is_seed(const Manifest& manifest) {
  return manifest.model == "seed-plain" || manifest.model == "seed-smoke";
}

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto source = memory_source(std::as_bytes(std::span(data, size)));
  try {
    const Bundle bundle(*source);
    for (const BundleFile& file : bundle.manifest().files) require(is_safe_path(file.path));
    require(bundle.signed_by({.keys = {}, .allow_unsigned = true}).empty());
    try {
      require(bundle.signed_by(trust()) == "seeds" && is_seed(bundle.manifest()));
    } catch (const adze::host::Error& error) {
      require(error.code == ADZE_PERMISSION_DENIED);
    }
    bundle.verify();
    // There is one way to write a bundle: signing it gives the same bytes but for the signature.
    std::array<std::byte, 32> seed{};
    const auto bytes = sign_bundle(bundle, key_pair_of(seed).secret_key);
    const auto signed_source = memory_source(bytes);
    const Bundle again(*signed_source);
    require(again.id() == bundle.id());
    again.verify();
  } catch (const adze::host::Error& error) {
    require(error.code == ADZE_DATA_LOSS || error.code == ADZE_UNIMPLEMENTED);
  }
  return 0;
}
