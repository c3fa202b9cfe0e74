#include "host/plugin/isolation.hpp"

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>

namespace adze::host {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();
/// What a small machine gives a plugin at the least: address space is not yet memory.
constexpr std::uint64_t kLeastDefaultMb = 512;

/// The number behind `key` in a file of lines "key number"; `otherwise` without one.
std::uint64_t number_in(const fs::path& file, const std::string& key, std::uint64_t otherwise) {
  std::ifstream lines(file);
  for (std::string word; lines >> word;)
    if (std::uint64_t number = 0; word == key && lines >> number) return number;
  return otherwise;
}

/// The only number of a file; "max", or no such file: `otherwise`.
std::uint64_t number_of(const fs::path& file, std::uint64_t otherwise) {
  std::uint64_t number = 0;
  return std::ifstream(file) >> number ? number : otherwise;
}

/// The names that the two versions of control groups have for the same things.
struct GroupFiles {
  const char *limit, *used, *reclaimable;
};

std::uint64_t left_in(const fs::path& group, const GroupFiles& files) {
  const std::uint64_t limit = number_of(group / files.limit, kNoLimit);
  if (limit == kNoLimit) return kNoLimit;
  const std::uint64_t used = number_of(group / files.used, 0),
                      cached = number_in(group / "memory.stat", files.reclaimable, 0),
                      held = used - std::min(used, cached);
  return limit - std::min(limit, held);
}

/// The least that is left in a group and those it is part of, up to `top`.
std::uint64_t left_up_to(const fs::path& top, const fs::path& name, const GroupFiles& files) {
  std::uint64_t left = left_in(top, files);
  fs::path group = top;
  for (const fs::path& part : name.relative_path())
    left = std::min(left, left_in(group /= part, files));
  return left;
}

}  // namespace

std::uint64_t free_memory_mb(const fs::path& root) {
  constexpr GroupFiles kFirst{"memory.limit_in_bytes", "memory.usage_in_bytes",
                              "total_inactive_file"},
      kSecond{"memory.max", "memory.current", "inactive_file"};
  const fs::path groups = root / "sys/fs/cgroup";
  std::uint64_t left = number_in(root / "proc/meminfo", "MemAvailable:", kNoLimit >> 10) << 10;
  std::ifstream lines(root / "proc/self/cgroup");
  for (std::string line; std::getline(lines, line);) {
    const std::size_t name = line.rfind(':') + 1;
    if (line.starts_with("0::"))
      left = std::min(left, left_up_to(groups, line.substr(name), kSecond));
    else if (line.find(":memory:") != std::string::npos)
      left = std::min(left, left_up_to(groups / "memory", line.substr(name), kFirst));
  }
  return left >> 20;
}

std::uint64_t memory_limit_mb(const IsolationLimits& limits) {
  if (limits.memory_mb) return limits.memory_mb;
  return std::max(kLeastDefaultMb, free_memory_mb() / 4 * 3);
}

}  // namespace adze::host
