// Functions of one element on the CPU's vectors, where compilers do not make good loops of them.
#pragma once

#include <cstdint>

namespace adze::exec {

// What vector_math.hpp defines, of all elements of a row; the same bits on every CPU. `dst` may be
// `src`.
void logistic_row(const float* src, float* dst, std::int64_t count);
void error_function_row(const float* src, float* dst, std::int64_t count);
/// dst[i] = exponential(src[i] - largest)
void exponential_row(const float* src, float largest, float* dst, std::int64_t count);

}  // namespace adze::exec
