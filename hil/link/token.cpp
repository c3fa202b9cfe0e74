#include "hil/link/token.hpp"

#include <sodium.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "host/base/error.hpp"
#include "host/base/file.hpp"

namespace adze::hil {
namespace {

using host::Error;
using Digest = std::array<unsigned char, crypto_hash_sha256_BYTES>;

constexpr std::size_t kShortest = 16, kLongest = 256;

Digest digest_of(std::string_view text) {
  Digest digest{};
  crypto_hash_sha256(digest.data(), reinterpret_cast<const unsigned char*>(text.data()),
                     text.size());
  return digest;
}

}  // namespace

std::string load_token(const std::filesystem::path& file) {
  struct stat found {};
  if (::stat(file.c_str(), &found))
    throw Error(ADZE_NOT_FOUND, "cannot read the token file '" + file.string() +
                                    "': " + std::strerror(errno) +
                                    "; a TCP link needs one on both sides, mode 0600, such as "
                                    "`(umask 077; openssl rand -hex 32 > FILE)` makes");
  if (found.st_mode & 0077)
    throw Error(ADZE_PERMISSION_DENIED, "others may read the token file '" + file.string() +
                                            "'; make a new token and `chmod 600` its file");
  const std::string text = host::read_text_file(file, 4096);
  const std::string token = text.substr(0, text.find_first_of("\r\n"));
  if (token.size() < kShortest || token.size() > kLongest)
    throw Error(ADZE_INVALID_ARGUMENT, "the token in '" + file.string() + "' has " +
                                           std::to_string(token.size()) +
                                           " characters; 16 to 256 are wanted");
  return token;
}

std::filesystem::path token_file() {
  if (const char* file = ::secure_getenv("ADZE_TOKEN_FILE")) return file;
  const char* home = ::secure_getenv("HOME");
  return std::filesystem::path(home ? home : "/") / ".config" / "adze" / "token";
}

bool same_token(std::string_view a, std::string_view b) {
  // Hashes have one length, so that not even that of the secret shows.
  const Digest x = digest_of(a), y = digest_of(b);
  return sodium_memcmp(x.data(), y.data(), x.size()) == 0;
}

}  // namespace adze::hil
