// Memory for tensors: aligned for vector loads, and one arena in which buffers share space when
// they are not needed at the same time.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

namespace adze::exec {

inline constexpr std::size_t kAlignment = 64;  ///< a cache line, and the widest vector

inline std::size_t aligned(std::size_t bytes) {
  return (bytes + kAlignment - 1) & ~(kAlignment - 1);
}

class AlignedBytes {
 public:
  AlignedBytes() = default;
  explicit AlignedBytes(std::size_t bytes) {
    data_.reset(static_cast<std::byte*>(std::aligned_alloc(kAlignment, aligned(bytes + 1))));
    if (!data_) throw std::bad_alloc();
  }
  std::byte* data() const { return data_.get(); }

 private:
  struct Free {
    void operator()(std::byte* bytes) const { std::free(bytes); }
  };
  std::unique_ptr<std::byte, Free> data_;
};

/// What loading a model and packing its weights freed, and the C library keeps: what is allocated
/// next shall not come on top of it. Takes milliseconds.
void give_back_freed_memory();

/// A buffer that is written in step `first` and read for the last time in step `last`.
struct Lifetime {
  std::size_t bytes, first, last;
  std::size_t offset = 0;
};

/// Chooses the offsets, largest buffers first, and returns the size of the arena.
std::size_t place_in_arena(const std::vector<Lifetime*>& buffers);

}  // namespace adze::exec
