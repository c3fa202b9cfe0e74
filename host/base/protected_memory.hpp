// Memory that a component is shown and must not write to, and what to say when it does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace adze::host {

/// While it lives, watched_at() explains an address in [start, start + size) by `what`, which must
/// be static.
class WatchedRange {
 public:
  WatchedRange(const void* start, std::size_t size, const char* what);
  ~WatchedRange();
  WatchedRange(const WatchedRange&) = delete;
  WatchedRange& operator=(const WatchedRange&) = delete;

 private:
  std::size_t slot_;
};

/// nullptr where nothing is watched. For signal handlers: it takes no lock and no memory. [any]
const char* watched_at(std::uintptr_t address);

/// Zeroed memory in pages of its own, which can be made read-only once it is filled.
class ProtectedMemory {
 public:
  ProtectedMemory() = default;
  ~ProtectedMemory();
  ProtectedMemory(const ProtectedMemory&) = delete;
  ProtectedMemory& operator=(const ProtectedMemory&) = delete;

  /// At a multiple of 64. Errors: RESOURCE_EXHAUSTED.
  void* take(std::size_t size);
  /// From now on a write to what was taken so far faults, and watched_at() gives `what` (static).
  /// More can be taken and sealed later.
  void seal(const char* what);
  /// The memory that was taken, in pieces.
  std::vector<std::span<const std::byte>> parts() const;

 private:
  struct Chunk {
    std::byte* start = nullptr;
    std::size_t size = 0, used = 0;
    std::unique_ptr<WatchedRange> sealed;
  };
  std::vector<Chunk> chunks_;
};

}  // namespace adze::host
