#include "host/check/held.hpp"

#include <fmt/format.h>
#include <malloc.h>
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
// Of sanitizer/allocator_interface.h, which GCC's packages leave out.
extern "C" std::size_t __sanitizer_get_current_allocated_bytes();
#endif

namespace adze::host::check {
namespace {

namespace fs = std::filesystem;

/// The smallest piece of memory that can be forgotten each round. What the allocator itself keeps
/// grows once, a leak grows again each time it is looked at.
constexpr std::int64_t kLeakBytesPerRound = 24;
constexpr int kMostGenerations = 100;

std::int64_t entries_of(const char* folder) {
  return std::distance(fs::directory_iterator(folder), fs::directory_iterator());
}

/// Children of each of this process's threads.
std::vector<pid_t> child_processes() {
  std::vector<pid_t> children;
  std::error_code ended;  // a thread may end while it is looked at
  for (const auto& thread : fs::directory_iterator("/proc/self/task", ended)) {
    std::ifstream listed(thread.path() / "children");
    children.insert(children.end(), std::istream_iterator<pid_t>(listed), {});
  }
  return children;
}

}  // namespace

Held held_now() {
  Held held;
#if defined(__SANITIZE_ADDRESS__)
  held.bytes = static_cast<std::int64_t>(__sanitizer_get_current_allocated_bytes());
#else
  const struct mallinfo2 heap = ::mallinfo2();
  held.bytes = static_cast<std::int64_t>(heap.uordblks + heap.hblkhd);
#endif
  held.threads = entries_of("/proc/self/task");
  held.files = entries_of("/proc/self/fd");
  held.processes = static_cast<std::int64_t>(child_processes().size());
  return held;
}

Held operator-(const Held& after, const Held& before) {
  return {.bytes = after.bytes - before.bytes,
          .threads = after.threads - before.threads,
          .files = after.files - before.files,
          .processes = after.processes - before.processes};
}

Held least_of(const Held& one, const Held& other) {
  return {.bytes = std::min(one.bytes, other.bytes),
          .threads = std::min(one.threads, other.threads),
          .files = std::min(one.files, other.files),
          .processes = std::min(one.processes, other.processes)};
}

std::string grown(const Held& left, int rounds) {
  if (left.threads >= rounds / 2) return fmt::format("{} threads", left.threads);
  if (left.processes >= rounds / 2) return fmt::format("{} child processes", left.processes);
  if (left.files >= rounds / 2) return fmt::format("{} open files", left.files);
  if (left.bytes >= rounds * kLeakBytesPerRound) return fmt::format("{} bytes", left.bytes);
  return "";
}

void end_child_processes() {
  // Whoever they started comes next.
  for (int generation = 0; generation < kMostGenerations; ++generation) {
    const std::vector<pid_t> children = child_processes();
    if (children.empty()) return;
    for (const pid_t child : children) ::kill(child, SIGKILL);
    for (const pid_t child : children)
      while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
      }
  }
}

}  // namespace adze::host::check
