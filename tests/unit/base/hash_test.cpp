#include "host/base/hash.hpp"

namespace adze::host {
namespace {

std::string hash_of(std::string_view text) { return sha256_hex(std::as_bytes(std::span(text))); }

// The examples of FIPS 180-2.
TEST(Hash, matches_published_vectors) {
  EXPECT_EQ(hash_of(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hash_of("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hash_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST(Hash, hex_has_two_digits_a_byte) {
  const std::byte bytes[] = {std::byte{0}, std::byte{0x0f}, std::byte{0xa0}};
  EXPECT_EQ(hex(bytes), "000fa0");
}

}  // namespace
}  // namespace adze::host
