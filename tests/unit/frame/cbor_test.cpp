#include "host/base/cbor.hpp"

#include <nlohmann/json.hpp>
#include <random>

#include "host/base/error.hpp"

namespace adze::host {
namespace {

using nlohmann::json;

std::vector<std::byte> bytes_of(std::initializer_list<unsigned> values) {
  std::vector<std::byte> bytes;
  for (const unsigned value : values) bytes.push_back(std::byte(value));
  return bytes;
}

void expect_refused(const std::vector<std::byte>& bytes, const std::string& text) {
  try {
    decode_cbor(bytes, "the message");
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code, ADZE_DATA_LOSS);
    EXPECT_THAT(error.what(), testing::HasSubstr("the message"));
    EXPECT_THAT(error.what(), testing::HasSubstr(text));
  }
}

TEST(Cbor, every_kind_of_value_survives) {
  json value = {{"text", "adze"},         {"number", -5},
                {"big", 1ull << 63},      {"real", 0.1},
                {"flag", true},           {"none", nullptr},
                {"list", {1, 2, {3, 4}}}, {"map", {{"a", json::array()}}}};
  value["bytes"] = json::binary({1, 2, 3});
  EXPECT_EQ(decode_cbor(encode_cbor(value), "a value"), value);
}

TEST(Cbor, refuses_what_nests_too_deep) {
  expect_refused(std::vector<std::byte>(60000, std::byte{0x81}), "deeper than 16");
  json deep = 1;
  for (int i = 0; i < 16; ++i) deep = json::array({deep});
  EXPECT_EQ(decode_cbor(encode_cbor(deep), "sixteen levels"), deep);
}

TEST(Cbor, refuses_nested_strings_of_indefinite_length) {
  expect_refused(std::vector<std::byte>(60000, std::byte{0x7F}), "indefinite");
  expect_refused(std::vector<std::byte>(60000, std::byte{0x5F}), "indefinite");
}

TEST(Cbor, refuses_more_than_64_kib) {
  expect_refused(encode_cbor(std::string(70000, 'x')), "the most is 65536");
}

TEST(Cbor, refuses_sizes_that_lie) {
  expect_refused(bytes_of({0x7B, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x61}),
                 "longer than the message");
  expect_refused(bytes_of({0x9B, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01}), "");
  expect_refused(bytes_of({0x82, 0x01}), "cut off");
}

TEST(Cbor, refuses_trailing_bytes_tags_and_double_keys) {
  expect_refused(bytes_of({0x01, 0x01}), "");
  expect_refused(bytes_of({0xC1, 0x01}), "tag");
  expect_refused(bytes_of({0xA2, 0x61, 0x61, 0x01, 0x61, 0x61, 0x02}), "'a' twice");
  expect_refused({}, "");
}

TEST(Cbor, random_bytes_are_a_value_or_an_error) {
  std::mt19937 random(11);
  int values = 0;
  for (int round = 0; round < 50000; ++round) {
    std::vector<std::byte> bytes(random() % 40);
    for (std::byte& b : bytes) b = std::byte(random() & 255);
    try {
      decode_cbor(bytes, "noise");
      ++values;
    } catch (const Error& error) {
      EXPECT_EQ(error.code, ADZE_DATA_LOSS);
    }
  }
  EXPECT_GT(values, 0);
}

}  // namespace
}  // namespace adze::host
