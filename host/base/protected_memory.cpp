#include "host/base/protected_memory.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <string>

#include "host/base/error.hpp"

namespace adze::host {
namespace {

/// Read by signal handlers: nothing here may allocate or lock.
struct Slot {
  std::atomic<std::uintptr_t> start{0};
  std::atomic<std::size_t> size{0};
  std::atomic<const char*> what{nullptr};
};
std::array<Slot, 4096> slots;

/// Each chunk is twice the one before, so that a large graph needs few.
constexpr std::size_t kFirstChunkBytes = 64u << 10, kLargestChunkBytes = 4u << 20;

std::size_t round_up(std::size_t size, std::size_t to) { return (size + to - 1) / to * to; }

}  // namespace

WatchedRange::WatchedRange(const void* start, std::size_t size, const char* what)
    : slot_(slots.size()) {
  const auto address = reinterpret_cast<std::uintptr_t>(start);
  for (std::size_t i = 0; i < slots.size(); ++i) {
    std::uintptr_t free = 0;
    if (!slots[i].start.compare_exchange_strong(free, address)) continue;
    slots[i].size = size;
    slots[i].what = what;
    slot_ = i;
    return;
  }
}

WatchedRange::~WatchedRange() {
  if (slot_ == slots.size()) return;
  slots[slot_].what = nullptr;
  slots[slot_].start = 0;
}

const char* watched_at(std::uintptr_t address) {
  for (const Slot& slot : slots) {
    const std::uintptr_t start = slot.start;
    const char* what = slot.what;
    if (start && what && address >= start && address - start < slot.size) return what;
  }
  return nullptr;
}

ProtectedMemory::~ProtectedMemory() {
  for (Chunk& chunk : chunks_) {
    chunk.sealed.reset();
    ::munmap(chunk.start, chunk.size);
  }
}

void* ProtectedMemory::take(std::size_t size) {
  size = round_up(std::max<std::size_t>(size, 1), 64);
  if (chunks_.empty() || chunks_.back().sealed ||
      chunks_.back().size - chunks_.back().used < size) {
    static const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    const std::size_t next = chunks_.empty()
                                 ? kFirstChunkBytes
                                 : std::min(2 * chunks_.back().size, kLargestChunkBytes),
                      room = std::max(next, round_up(size, page));
    void* start = ::mmap(nullptr, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED)
      throw Error(ADZE_RESOURCE_EXHAUSTED,
                  std::string("cannot map memory: ") + std::strerror(errno));
    chunks_.push_back({.start = static_cast<std::byte*>(start), .size = room, .sealed = nullptr});
  }
  Chunk& chunk = chunks_.back();
  std::byte* taken = chunk.start + chunk.used;
  chunk.used += size;
  return taken;
}

void ProtectedMemory::seal(const char* what) {
  for (Chunk& chunk : chunks_) {
    if (chunk.sealed) continue;
    ::mprotect(chunk.start, chunk.size, PROT_READ);
    chunk.sealed = std::make_unique<WatchedRange>(chunk.start, chunk.size, what);
  }
}

std::vector<std::span<const std::byte>> ProtectedMemory::parts() const {
  std::vector<std::span<const std::byte>> all;
  for (const Chunk& chunk : chunks_) all.emplace_back(chunk.start, chunk.used);
  return all;
}

}  // namespace adze::host
