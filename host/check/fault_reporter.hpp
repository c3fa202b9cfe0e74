// Says which memory a plugin touched when it must not have, before the process dies of it.
#pragma once

#include <cstddef>

namespace adze::host::check {

/// Takes SIGSEGV and SIGBUS of this process: an address within a watched range is explained on
/// stderr; then the signal does what it always does.
void report_faults();

/// While it lives, a fault at [start, start + size) is explained by `what`, which must be static.
class WatchedRange {
 public:
  WatchedRange(const void* start, std::size_t size, const char* what);
  ~WatchedRange();
  WatchedRange(const WatchedRange&) = delete;
  WatchedRange& operator=(const WatchedRange&) = delete;

 private:
  std::size_t slot_;
};

}  // namespace adze::host::check
