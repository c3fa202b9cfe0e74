// What the kernel reads, byte by byte: it refuses the whole gadget for one that is wrong.
#include "hil/agent/usb/descriptors.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/usb/functionfs.h>

#include <cstdint>
#include <cstring>
#include <span>

#include "hil/link/usb/identity.hpp"

namespace adze::hil::usb {
namespace {

using testing::ElementsAre;

std::vector<int> numbers(std::span<const std::byte> bytes) {
  std::vector<int> values;
  for (const std::byte byte : bytes) values.push_back(std::to_integer<int>(byte));
  return values;
}

std::uint32_t word(std::span<const std::byte> bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 4; i-- > 0;)
    value = value << 8 | std::to_integer<std::uint32_t>(bytes[at + i]);
  return value;
}

TEST(GadgetDescriptors, have_the_kernels_format_for_three_speeds) {
  const auto bytes = gadget_descriptors();
  EXPECT_EQ(word(bytes, offsetof(usb_functionfs_descs_head_v2, magic)),
            FUNCTIONFS_DESCRIPTORS_MAGIC_V2);
  EXPECT_EQ(word(bytes, offsetof(usb_functionfs_descs_head_v2, length)), bytes.size());
  EXPECT_EQ(word(bytes, offsetof(usb_functionfs_descs_head_v2, flags)), 1U | 2U | 4U);
  std::size_t at = sizeof(usb_functionfs_descs_head_v2);
  const std::vector<std::uint32_t> counts{word(bytes, at), word(bytes, at + 4),
                                          word(bytes, at + 8)};
  EXPECT_THAT(counts, ElementsAre(3, 3, 5));
  at += 12;
  for (const std::uint32_t count : counts)
    for (std::uint32_t i = 0; i < count; ++i) {
      ASSERT_LT(at, bytes.size());
      const auto length = std::to_integer<std::size_t>(bytes[at]);
      ASSERT_GE(length, 6U);
      at += length;
    }
  EXPECT_EQ(at, bytes.size());
}

TEST(GadgetDescriptors, are_the_interface_that_hosts_look_for_with_a_bulk_endpoint_each_way) {
  const auto all = gadget_descriptors();
  const std::span bytes(all);
  const std::size_t full = 24, high = full + 23, super = high + 23;
  EXPECT_THAT(numbers(bytes.subspan(full, 23)), ElementsAre(9, 4, 0, 0, 2, 0xff, 0xad, 0x01, 1,  //
                                                            7, 5, 0x01, 2, 64, 0, 0,             //
                                                            7, 5, 0x82, 2, 64, 0, 0));
  EXPECT_THAT(numbers(bytes.subspan(high, 23)), ElementsAre(9, 4, 0, 0, 2, 0xff, 0xad, 0x01, 1,  //
                                                            7, 5, 0x01, 2, 0, 2, 0,              //
                                                            7, 5, 0x82, 2, 0, 2, 0));
  EXPECT_THAT(numbers(bytes.subspan(super)), ElementsAre(9, 4, 0, 0, 2, 0xff, 0xad, 0x01, 1,  //
                                                         7, 5, 0x01, 2, 0, 4, 0,              //
                                                         6, 0x30, 4, 0, 0, 0,                 //
                                                         7, 5, 0x82, 2, 0, 4, 0,              //
                                                         6, 0x30, 4, 0, 0, 0));
}

TEST(GadgetDescriptors, name_the_interface_in_english) {
  const auto bytes = gadget_strings();
  EXPECT_THAT(numbers(bytes), ElementsAre(2, 0, 0, 0, 23, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0,  //
                                          0x09, 0x04, 'a', 'd', 'z', 'e', 0));
  EXPECT_STREQ(kInterfaceName, "adze");
}

}  // namespace
}  // namespace adze::hil::usb
