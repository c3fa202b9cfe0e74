#include "host/base/protected_memory.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

namespace adze::host {
namespace {

TEST(ProtectedMemory, is_zeroed_aligned_and_of_any_size) {
  ProtectedMemory memory;
  for (const std::size_t size : {1u, 65u, 100000u, 3u << 20}) {
    auto* taken = static_cast<char*>(memory.take(size));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(taken) % 64, 0u);
    EXPECT_TRUE(std::all_of(taken, taken + size, [](char byte) { return byte == 0; }));
    std::memset(taken, 1, size);
  }
}

TEST(ProtectedMemoryDeathTest, a_write_after_it_is_sealed_faults) {
  ProtectedMemory memory;
  auto* number = static_cast<volatile int*>(memory.take(sizeof(int)));
  *number = 5;
  memory.seal("wrote");
  EXPECT_EQ(*number, 5);
  EXPECT_DEATH(*number = 6, "");
  *static_cast<volatile int*>(memory.take(sizeof(int))) = 7;
}

TEST(ProtectedMemory, what_is_sealed_is_watched_as_long_as_it_lives) {
  std::uintptr_t address = 0;
  {
    ProtectedMemory memory;
    address = reinterpret_cast<std::uintptr_t>(memory.take(1));
    EXPECT_EQ(watched_at(address), nullptr);
    memory.seal("wrote");
    EXPECT_STREQ(watched_at(address), "wrote");
    EXPECT_NE(reinterpret_cast<std::uintptr_t>(memory.take(1)), address + 64);
  }
  EXPECT_EQ(watched_at(address), nullptr);
}

}  // namespace
}  // namespace adze::host
