// Ed25519 over a bundle's manifest: who may put a model on a board.
#pragma once

#include <array>
#include <cstddef>
#include <filesystem>
#include <map>
#include <span>
#include <string>

namespace adze::hil {

using PublicKey = std::array<std::byte, 32>;
using SecretKey = std::array<std::byte, 64>;  ///< libsodium's form: seed and public key
using Signature = std::array<std::byte, 64>;

struct KeyPair {
  PublicKey public_key;
  SecretKey secret_key;
};
KeyPair make_key_pair();
/// The same pair for the same seed.
KeyPair key_pair_of(std::span<const std::byte, 32> seed);
PublicKey public_key_of(const SecretKey& key);
/// Deterministic: the same key and bytes give the same signature.
Signature sign(std::span<const std::byte> bytes, const SecretKey& key);
bool is_signed_by(std::span<const std::byte> bytes, std::span<const std::byte> signature,
                  const PublicKey& key);

/// Keys are files of hexadecimal digits; a secret one can be read by its owner alone. Nothing that
/// exists is overwritten, nothing is left behind by a failure. Errors: ALREADY_EXISTS, NOT_FOUND,
/// PERMISSION_DENIED, RESOURCE_EXHAUSTED.
void save_key_pair(const KeyPair& pair, const std::filesystem::path& secret_file,
                   const std::filesystem::path& public_file);
/// Errors: NOT_FOUND, DATA_LOSS; PERMISSION_DENIED when others may read it.
SecretKey load_secret_key(const std::filesystem::path& file);
/// Errors: NOT_FOUND, DATA_LOSS.
PublicKey load_public_key(const std::filesystem::path& file);
/// What a board trusts: the *.pub files of `folder` by name without extension. Empty when there is
/// no such folder.
std::map<std::string, PublicKey> load_trusted_keys(const std::filesystem::path& folder);

}  // namespace adze::hil
