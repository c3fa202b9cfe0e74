#include "host/plugin/elf_scan.hpp"

#include <elf.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>

#include "host/base/error.hpp"
#include "host/base/file.hpp"
#include "tests/bad_plugins/graphs.hpp"

namespace adze::host {
namespace {

using Bytes = std::vector<std::byte>;

const Bytes& plugin_bytes() {
  static const Bytes bytes = read_file(test::test_plugin("bad_good"));
  return bytes;
}

std::string refusal(const Bytes& bytes) {
  try {
    scan_elf(bytes);
  } catch (const Error& error) {
    EXPECT_EQ(error.code, ADZE_DATA_LOSS);
    return error.what();
  }
  return "";
}

TEST(ElfScan, sees_machine_exports_and_needs) {
  const ElfScan scan = scan_elf(plugin_bytes());
  EXPECT_EQ(scan.machine, own_machine());
  EXPECT_THAT(scan.exported, testing::ElementsAre("adze_plugin_v1"));
  EXPECT_THAT(scan.undefined, testing::Contains("__cxa_finalize"));
}

TEST(ElfScan, lists_every_export_sorted) {
  const ElfScan scan = scan_elf(read_file(test::test_plugin("bad_L03")));
  EXPECT_THAT(scan.exported, testing::ElementsAre("adze_plugin_v1", "helper"));
}

TEST(ElfScan, sees_the_same_without_section_headers) {
  Bytes bytes = plugin_bytes();
  Elf64_Ehdr header;
  std::memcpy(&header, bytes.data(), sizeof header);
  bytes.resize(header.e_shoff);  // they come last
  header.e_shoff = 0;
  header.e_shnum = header.e_shstrndx = 0;
  std::memcpy(bytes.data(), &header, sizeof header);
  const ElfScan stripped = scan_elf(bytes), whole = scan_elf(plugin_bytes());
  EXPECT_EQ(stripped.exported, whole.exported);
  EXPECT_EQ(stripped.needed, whole.needed);
}

TEST(ElfScan, names_the_libraries_of_a_program_that_is_position_independent) {
  const ElfScan scan = scan_elf(read_file("/proc/self/exe"));
  EXPECT_THAT(scan.needed, testing::Contains(testing::HasSubstr("libc.so")));
}

TEST(ElfScan, tells_what_is_no_elf_file) {
  EXPECT_EQ(refusal({}), "not an ELF file");
  EXPECT_EQ(refusal(Bytes(1000)), "not an ELF file");
  Bytes narrow = plugin_bytes();
  narrow[EI_CLASS] = std::byte{ELFCLASS32};
  EXPECT_EQ(refusal(narrow), "not a 64-bit little-endian ELF file");
}

TEST(ElfScan, every_truncation_is_an_error_or_a_whole_answer) {
  const ElfScan whole = scan_elf(plugin_bytes());
  std::size_t refused = 0;
  for (std::size_t size = 0; size < plugin_bytes().size(); size += 7) {
    try {
      const ElfScan scan = scan_elf(std::span(plugin_bytes()).first(size));
      EXPECT_EQ(scan.exported, whole.exported) << size;
    } catch (const Error& error) {
      EXPECT_EQ(error.code, ADZE_DATA_LOSS) << size;
      ++refused;
    }
  }
  EXPECT_GT(refused, 100u);
}

/// One to eight changes, most of them where the headers, the dynamic section and the tables are.
void mutate(Bytes& bytes, std::mt19937_64& random) {
  static constexpr std::uint64_t kExtremes[] = {0, 1, 0x7fffffff, 0xffffffff, ~0ull, 1ull << 63};
  const auto below = [&](std::size_t limit) { return static_cast<std::size_t>(random() % limit); };
  for (std::size_t change = 1 + below(8); change > 0; --change) {
    const std::size_t head = std::min<std::size_t>(bytes.size(), 2048);
    const std::size_t at = below(2) ? below(head) : below(bytes.size());
    switch (below(3)) {
      case 0:
        bytes[at] = static_cast<std::byte>(random());
        break;
      case 1:
        bytes[at] ^= static_cast<std::byte>(1u << below(8));
        break;
      default: {
        const std::uint64_t value = kExtremes[below(std::size(kExtremes))];
        std::memcpy(bytes.data() + at, &value, std::min<std::size_t>(8, bytes.size() - at));
      }
    }
  }
  if (below(8) == 0) bytes.resize(1 + below(bytes.size()));
}

TEST(ElfScan, thousands_of_damaged_files_give_an_answer_or_an_error) {
  std::size_t answered = 0, refused = 0;
  for (std::uint64_t seed = 0; seed < 5000; ++seed) {
    std::mt19937_64 random(seed);
    Bytes bytes = plugin_bytes();
    mutate(bytes, random);
    try {
      scan_elf(bytes);
      ++answered;
    } catch (const Error& error) {
      ASSERT_EQ(error.code, ADZE_DATA_LOSS) << "seed " << seed;
      ++refused;
    }
  }
  // Otherwise the mutations would not reach what they are for.
  EXPECT_GT(answered, 200u);
  EXPECT_GT(refused, 200u);
}

}  // namespace
}  // namespace adze::host
