// Mean and variance of contiguous floats, as the normalizations need them.
#pragma once

#include <cstdint>

namespace adze::exec {

struct Moments {
  double mean = 0, variance = 0;  ///< of the whole, not of a sample
};

/// In double and in a fixed order: the same bits on every CPU. 0 for no elements.
Moments moments_of(const float* elements, std::int64_t count);
/// The sum of the squares divided by count.
double mean_square_of(const float* elements, std::int64_t count);

}  // namespace adze::exec
