// What this process holds, to be compared before and after the plugin ran.
#pragma once

#include <cstdint>
#include <string>

namespace adze::host::check {

struct Held {
  std::int64_t bytes = 0;  ///< of the heap
  std::int64_t threads = 0, files = 0;
  std::int64_t processes = 0;  ///< children, also those that ended and were not waited for
};

Held held_now();
Held operator-(const Held& after, const Held& before);
Held least_of(const Held& one, const Held& other);

/// What of `left` grew with each of `rounds`: "100 threads"; "" for what may be chance.
std::string grown(const Held& left, int rounds);

/// Kills and awaits all children of this process.
void end_child_processes();

}  // namespace adze::host::check
