#include "hil/protocol/signature.hpp"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "host/base/error.hpp"
#include "host/base/file.hpp"
#include "host/base/hash.hpp"
#include "host/base/owned_fd.hpp"

namespace adze::hil {
namespace {

namespace fs = std::filesystem;
using host::Error;

constexpr std::size_t kMaxKeyFileBytes = 4096;

/// Text that holds a secret and leaves no copy behind.
struct SecretText {
  SecretText() = default;
  SecretText(const SecretText&) = delete;
  SecretText& operator=(const SecretText&) = delete;
  ~SecretText() { sodium_memzero(text.data(), text.size()); }
  std::string text;
};

const unsigned char* raw(std::span<const std::byte> bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

unsigned char* writable(std::span<std::byte> bytes) {
  return reinterpret_cast<unsigned char*>(bytes.data());
}

void need_sodium() {
  if (sodium_init() < 0) throw Error(ADZE_INTERNAL, "libsodium does not start");
}

adze_status status_of(int error) {
  return error == EEXIST                      ? ADZE_ALREADY_EXISTS
         : error == ENOENT                    ? ADZE_NOT_FOUND
         : error == EACCES || error == EROFS  ? ADZE_PERMISSION_DENIED
         : error == ENOSPC || error == EDQUOT ? ADZE_RESOURCE_EXHAUSTED
                                              : ADZE_FAILED_PRECONDITION;
}

/// The digits of `text` as a key of type `Key`; `other_bytes` is the size of what people mix it up
/// with.
template <class Key>
Key parse_key(const std::string& text, const fs::path& file, std::size_t other_bytes,
              const char* hint) {
  Key key{};
  std::array<unsigned char, std::tuple_size<SecretKey>::value> bytes{};
  std::size_t length = 0;
  const char* end = nullptr;
  const int bad =
      sodium_hex2bin(bytes.data(), bytes.size(), text.data(), text.size(), "\n", &length, &end);
  const bool whole = !bad && end == text.data() + text.size();
  if (whole && length == key.size()) std::memcpy(key.data(), bytes.data(), key.size());
  sodium_memzero(bytes.data(), bytes.size());
  if (whole && length == key.size()) return key;
  throw Error(ADZE_DATA_LOSS, "'" + file.string() + "' is no key: it must hold " +
                                  std::to_string(2 * key.size()) + " hexadecimal digits" +
                                  (whole && length == other_bytes ? hint : ""));
}

/// A new file with one line.
void save_text(const fs::path& file, std::string_view text, mode_t mode) {
  const host::OwnedFd fd(
      ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
  if (!fd)
    throw Error(status_of(errno),
                errno == EEXIST
                    ? "'" + file.string() +
                          "' exists already, and a key that is overwritten cannot sign any more; "
                          "give -o another name, or move the old key away"
                    : "cannot write the key '" + file.string() + "': " + std::strerror(errno));
  const bool written =
      ::fchmod(fd.get(), mode) == 0 &&
      ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
      ::fsync(fd.get()) == 0;
  if (written) return;
  const int error = errno;
  ::unlink(file.c_str());
  throw Error(status_of(error),
              "cannot write the key '" + file.string() + "': " + std::strerror(error));
}

}  // namespace

KeyPair make_key_pair() {
  need_sodium();
  KeyPair pair;
  crypto_sign_keypair(writable(pair.public_key), writable(pair.secret_key));
  return pair;
}

KeyPair key_pair_of(std::span<const std::byte, 32> seed) {
  need_sodium();
  KeyPair pair;
  crypto_sign_seed_keypair(writable(pair.public_key), writable(pair.secret_key), raw(seed));
  return pair;
}

PublicKey public_key_of(const SecretKey& key) {
  PublicKey made;
  crypto_sign_ed25519_sk_to_pk(writable(made), raw(key));
  return made;
}

Signature sign(std::span<const std::byte> bytes, const SecretKey& key) {
  need_sodium();
  Signature signature;
  crypto_sign_detached(writable(signature), nullptr, raw(bytes), bytes.size(), raw(key));
  return signature;
}

bool is_signed_by(std::span<const std::byte> bytes, std::span<const std::byte> signature,
                  const PublicKey& key) {
  need_sodium();
  return signature.size() == crypto_sign_BYTES &&
         crypto_sign_verify_detached(raw(signature), raw(bytes), bytes.size(), raw(key)) == 0;
}

void save_key_pair(const KeyPair& pair, const fs::path& secret_file, const fs::path& public_file) {
  const fs::path folder = secret_file.parent_path();
  if (!folder.empty() && !fs::exists(folder)) {
    std::error_code failed;
    fs::create_directories(folder, failed);
    if (failed)
      throw Error(status_of(failed.value()),
                  "cannot create folder '" + folder.string() + "': " + failed.message());
    fs::permissions(folder, fs::perms::owner_all, failed);
  }
  SecretText secret;
  secret.text = host::hex(pair.secret_key) + "\n";
  save_text(secret_file, secret.text, 0600);
  try {
    save_text(public_file, host::hex(pair.public_key) + "\n", 0644);
  } catch (const Error&) {
    ::unlink(secret_file.c_str());
    throw;
  }
}

SecretKey load_secret_key(const fs::path& file) {
  need_sodium();
  const host::OwnedFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd)
    throw Error(status_of(errno), "cannot read the signing key '" + file.string() +
                                      "': " + std::strerror(errno) +
                                      (errno == ENOENT ? "; `adze bundle keygen` makes one" : ""));
  struct stat found {};
  if (::fstat(fd.get(), &found) || !S_ISREG(found.st_mode))
    throw Error(ADZE_DATA_LOSS, "'" + file.string() + "' is no key: not a regular file");
  SecretText secret;
  secret.text.resize(kMaxKeyFileBytes);
  const ssize_t got = ::read(fd.get(), secret.text.data(), secret.text.size());
  secret.text.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  const auto key =
      parse_key<SecretKey>(secret.text, file, std::tuple_size<PublicKey>::value,
                           "; this is a public key, and only the secret one beside it can sign");
  if (found.st_mode & 0077)
    throw Error(ADZE_PERMISSION_DENIED, "the signing key '" + file.string() +
                                            "' can be read by others; run `chmod 600` on it");
  std::array<std::byte, crypto_sign_SEEDBYTES> seed;
  crypto_sign_ed25519_sk_to_seed(writable(seed), raw(key));
  const bool whole = key_pair_of(seed).secret_key == key;
  sodium_memzero(seed.data(), seed.size());
  if (!whole)
    throw Error(ADZE_DATA_LOSS,
                "'" + file.string() + "' is damaged: its two halves are of different keys");
  return key;
}

PublicKey load_public_key(const fs::path& file) {
  SecretText content;
  content.text = host::read_text_file(file, kMaxKeyFileBytes);
  return parse_key<PublicKey>(content.text, file, std::tuple_size<SecretKey>::value,
                              "; this is a secret key, which stays where bundles are signed");
}

std::map<std::string, PublicKey> load_trusted_keys(const fs::path& folder) {
  std::map<std::string, PublicKey> keys;
  if (!fs::is_directory(folder)) return keys;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().extension() == ".pub")
      keys[entry.path().stem().string()] = load_public_key(entry.path());
  return keys;
}

}  // namespace adze::hil
