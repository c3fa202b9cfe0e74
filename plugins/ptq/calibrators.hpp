// From the histogram of an activation to the range that its grid should hold.
#pragma once

#include "plugins/ptq/histogram.hpp"

namespace ptq {

/// Holds `percentile` percent of the values; what is left out is shared by both ends where values
/// of both signs are there.
Range percentile_range(const Histogram& histogram, double percentile);

/// The threshold t with the least divergence (Kullback-Leibler) of the numbers on the grid of
/// -t..t (0..t where nothing is negative) from those that are not rounded, as TensorRT searches it.
Range entropy_range(const Histogram& histogram, int bits);

/// The least squared error, which weighs finer steps against what is clipped.
Range mse_range(const Histogram& histogram, ZeroPoint zero_point, int bits);

}  // namespace ptq
