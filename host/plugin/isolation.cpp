#include "host/plugin/isolation.hpp"

#include <unistd.h>

namespace adze::host {

std::uint64_t memory_limit_mb(const IsolationLimits& limits) {
  if (limits.memory_mb) return limits.memory_mb;
  return static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
             static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) >>
         20;
}

}  // namespace adze::host
