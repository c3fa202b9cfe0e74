#include "plugins/tensor_exec/memory.hpp"

#include <algorithm>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace adze::exec {

void give_back_freed_memory() {
#if defined(__GLIBC__)
  malloc_trim(0);
#endif
}

std::size_t place_in_arena(const std::vector<Lifetime*>& buffers) {
  std::vector<Lifetime*> order = buffers;
  std::stable_sort(order.begin(), order.end(),
                   [](const Lifetime* a, const Lifetime* b) { return a->bytes > b->bytes; });
  std::vector<const Lifetime*> placed;  // by offset
  std::size_t arena = 0;
  for (Lifetime* buffer : order) {
    std::size_t offset = 0;
    for (const Lifetime* other : placed) {
      if (other->last < buffer->first || buffer->last < other->first) continue;
      if (other->offset >= offset + aligned(buffer->bytes)) break;
      offset = std::max(offset, other->offset + aligned(other->bytes));
    }
    buffer->offset = offset;
    arena = std::max(arena, offset + aligned(buffer->bytes));
    placed.insert(std::upper_bound(
                      placed.begin(), placed.end(), buffer,
                      [](const Lifetime* a, const Lifetime* b) { return a->offset < b->offset; }),
                  buffer);
  }
  return arena;
}

}  // namespace adze::exec
