// Rounding to a grid, and the gradients that are told of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace qat {

/// A grid without its zero point: multiples of `scale` from low * scale to high * scale.
struct Levels {
  float scale = 1;
  float low = 0, high = 0;  ///< whole numbers
};

Levels levels_of(double log_scale, float low, float high);

/// y = clamp(round_half_even(x / scale), low, high) * scale, as a QuantizeLinear and
/// DequantizeLinear pair computes it. x and y may be the same.
void round_to_grid(const float* x, float* y, std::size_t count, const Levels& levels);

/// The gradient of round_to_grid as LSQ defines it (Esser et al., 2020): to x it passes inside the
/// grid and is 0 outside; to the scale it is round(x / scale) - x / scale inside, and low or high
/// outside. `gradient`: of y. Fills `x_gradient` and returns the gradient of the scale.
double gradient_of_rounding(const float* x, const float* gradient, float* x_gradient,
                            std::size_t count, const Levels& levels);

/// Smallest and largest of `count` >= 1 elements.
struct Range {
  float low = 0, high = 0;
};
Range range_of(const float* x, std::size_t count);

/// The share of the scale, above 0.3, with which the elements lose least to rounding and clipping.
double best_share(const std::vector<float>& some, const Levels& whole);

/// A weight as [outer, channels, inner], each channel on a grid of its own.
struct Channels {
  std::int64_t outer = 1, count = 1, inner = 1;
};

template <class Body>
void for_each_run(const Channels& channels, Body&& body) {
  for (std::int64_t o = 0; o < channels.outer; ++o)
    for (std::int64_t c = 0; c < channels.count; ++c)
      body(c, (o * channels.count + c) * channels.inner);
}

constexpr float kLargestWeight = 127;

}  // namespace qat
