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
/// Deterministic: the same key and bytes give the same signature.
Signature sign(std::span<const std::byte> bytes, const SecretKey& key);
bool is_signed_by(std::span<const std::byte> bytes, std::span<const std::byte> signature,
                  const PublicKey& key);

/// Keys are files of hexadecimal digits. Errors: NOT_FOUND, DATA_LOSS; PERMISSION_DENIED when
/// others may read a secret key.
SecretKey load_secret_key(const std::filesystem::path& file);
/// What a board trusts: the *.pub files of `folder` by name without extension. Empty when there is
/// no such folder.
std::map<std::string, PublicKey> load_trusted_keys(const std::filesystem::path& folder);

}  // namespace adze::hil
