// From a range of numbers to the grid of integers that holds it.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace ptq {

enum class ZeroPoint {
  symmetric,  ///< 0 when nothing is negative, else the middle
  affine      ///< wherever the range puts it: finer when a range lies askew
};

/// q = round(x / scale) + zero_point, in 0 .. 2^bits - 1.
struct Grid {
  float scale = 1;
  std::int32_t zero_point = 0;
};

/// The finest unsigned grid that holds low..high and 0, which padding needs. A range without an
/// extent gets scale 1.
Grid activation_grid(double low, double high, ZeroPoint zero_point, int bits);

/// The smallest and the largest number on a grid.
std::pair<double, double> ends_of(const Grid& grid, int bits);

/// One scale a channel, so that the largest of `magnitudes` (largest |w| of each channel) is 127;
/// -128 stays unused, which keeps the grid symmetric. `biases` (empty: none) and `input_scale` are
/// those of the layer: a channel's bias is rounded to input_scale * scale and must fit into 32
/// bits, which bounds the scale of a channel whose weights are tiny or all zero from below.
std::vector<float> weight_scales(std::span<const double> magnitudes, std::span<const float> biases,
                                 double input_scale);

}  // namespace ptq
