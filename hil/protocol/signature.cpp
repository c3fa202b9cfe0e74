#include "hil/protocol/signature.hpp"

#include <sodium.h>
#include <sys/stat.h>

#include "host/base/error.hpp"
#include "host/base/file.hpp"

namespace adze::hil {
namespace {

using host::Error;

const unsigned char* raw(std::span<const std::byte> bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

void need_sodium() {
  if (sodium_init() < 0) throw Error(ADZE_INTERNAL, "libsodium does not start");
}

template <class Key>
Key load_key(const std::filesystem::path& file) {
  const std::string text = host::read_text_file(file, 4096);
  Key key;
  std::size_t length = 0;
  const char* end = nullptr;
  const int bad = sodium_hex2bin(reinterpret_cast<unsigned char*>(key.data()), key.size(),
                                 text.data(), text.size(), "\n", &length, &end);
  if (bad || length != key.size() || end != text.data() + text.size())
    throw Error(ADZE_DATA_LOSS, "'" + file.string() + "' is no key: it must hold " +
                                    std::to_string(2 * key.size()) + " hexadecimal digits");
  return key;
}

}  // namespace

KeyPair make_key_pair() {
  need_sodium();
  KeyPair pair;
  crypto_sign_keypair(reinterpret_cast<unsigned char*>(pair.public_key.data()),
                      reinterpret_cast<unsigned char*>(pair.secret_key.data()));
  return pair;
}

Signature sign(std::span<const std::byte> bytes, const SecretKey& key) {
  need_sodium();
  Signature signature;
  crypto_sign_detached(reinterpret_cast<unsigned char*>(signature.data()), nullptr, raw(bytes),
                       bytes.size(), raw(key));
  return signature;
}

bool is_signed_by(std::span<const std::byte> bytes, std::span<const std::byte> signature,
                  const PublicKey& key) {
  need_sodium();
  return signature.size() == crypto_sign_BYTES &&
         crypto_sign_verify_detached(raw(signature), raw(bytes), bytes.size(), raw(key)) == 0;
}

SecretKey load_secret_key(const std::filesystem::path& file) {
  struct stat found {};
  if (::stat(file.c_str(), &found) == 0 && (found.st_mode & 0077))
    throw Error(ADZE_PERMISSION_DENIED, "the signing key '" + file.string() +
                                            "' can be read by others; run `chmod 600` on it");
  return load_key<SecretKey>(file);
}

std::map<std::string, PublicKey> load_trusted_keys(const std::filesystem::path& folder) {
  std::map<std::string, PublicKey> keys;
  if (!std::filesystem::is_directory(folder)) return keys;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".pub")
      keys[entry.path().stem().string()] = load_key<PublicKey>(entry.path());
  return keys;
}

}  // namespace adze::hil
