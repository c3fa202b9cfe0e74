// Functions of one element on the CPU's vectors, where compilers do not make good loops of them.
#pragma once

#include <cstdint>

namespace adze::exec {

/// dst[i] = logistic(src[i]), the same bits on every CPU. `dst` may be `src`.
void logistic_row(const float* src, float* dst, std::int64_t count);

}  // namespace adze::exec
