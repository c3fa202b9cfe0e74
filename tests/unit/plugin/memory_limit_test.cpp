// The memory that a worker may have, from what the system says is free.
#include <gtest/gtest.h>

#include "host/base/file.hpp"
#include "host/plugin/isolation.hpp"

namespace adze::host {
namespace {

namespace fs = std::filesystem;

class FreeMemory : public testing::Test {
 protected:
  void put(const std::string& file, const std::string& text) {
    fs::create_directories((folder.path() / file).parent_path());
    write_file(folder.path() / file, text);
  }
  void SetUp() override {
    put("proc/meminfo", "MemTotal:  16000000 kB\nMemFree: 1 kB\nMemAvailable:  8192000 kB\n");
  }
  std::uint64_t free_mb() const { return free_memory_mb(folder.path()); }
  TemporaryDirectory folder;
};

TEST_F(FreeMemory, is_that_of_the_machine_without_control_groups) { EXPECT_EQ(free_mb(), 8000u); }

TEST_F(FreeMemory, is_the_least_that_is_left_in_any_group_above) {
  put("proc/self/cgroup", "0::/user/shell\n");
  put("sys/fs/cgroup/user/shell/memory.max", "max\n");
  EXPECT_EQ(free_mb(), 8000u);
  put("sys/fs/cgroup/user/memory.max", std::to_string(3000ull << 20));
  put("sys/fs/cgroup/user/memory.current", std::to_string(1500ull << 20));
  EXPECT_EQ(free_mb(), 1500u);
  // Cached files make room when it is needed.
  put("sys/fs/cgroup/user/memory.stat",
      "anon 5\ninactive_file " + std::to_string(500ull << 20) + "\nactive_file 7\n");
  EXPECT_EQ(free_mb(), 2000u);
}

TEST_F(FreeMemory, knows_the_older_control_groups) {
  put("proc/self/cgroup", "5:cpu,cpuacct:/a\n4:memory:/a/b\n0::/\n");
  put("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  put("sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", std::to_string(600ull << 20));
  put("sys/fs/cgroup/memory/a/b/memory.usage_in_bytes", std::to_string(700ull << 20));
  EXPECT_EQ(free_mb(), 0u);
}

TEST_F(FreeMemory, a_limit_that_was_set_is_taken_as_it_is) {
  EXPECT_EQ(memory_limit_mb({.memory_mb = 7}), 7u);
  EXPECT_GE(memory_limit_mb({}), 512u);
}

}  // namespace
}  // namespace adze::host
