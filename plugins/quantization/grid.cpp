#include "plugins/quantization/grid.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace ptq {
namespace {

constexpr double kLargestWeight = 127;
// Room for the products that are added to the bias.
constexpr double kLargestBias = 1 << 30;

/// Nearest float that is not below, so that the range still fits, and large enough to divide by.
float scale_of(double wanted) {
  auto scale = static_cast<float>(wanted);
  if (static_cast<double>(scale) < wanted)
    scale = std::nextafter(scale, std::numeric_limits<float>::max());
  return std::clamp(scale, std::numeric_limits<float>::min(), std::numeric_limits<float>::max());
}

}  // namespace

Grid activation_grid(double low, double high, ZeroPoint zero_point, int bits) {
  low = std::min(low, 0.0);
  high = std::max(high, 0.0);
  const int levels = (1 << bits) - 1, middle = 1 << (bits - 1);
  Grid grid;
  if (zero_point == ZeroPoint::symmetric) grid.zero_point = low < 0 ? middle : 0;
  if (low == high) return grid;
  if (zero_point == ZeroPoint::affine) {
    grid.scale = scale_of((high - low) / levels);
    const double exact = -low / static_cast<double>(grid.scale);
    grid.zero_point = static_cast<std::int32_t>(
        std::clamp(std::nearbyint(exact), 0.0, static_cast<double>(levels)));
  } else if (low < 0) {
    grid.scale = scale_of(std::max(-low / middle, high / (levels - middle)));
  } else {
    grid.scale = scale_of(high / levels);
  }
  return grid;
}

std::pair<double, double> ends_of(const Grid& grid, int bits) {
  const int levels = (1 << bits) - 1;
  const auto scale = static_cast<double>(grid.scale);
  return {-grid.zero_point * scale, (levels - grid.zero_point) * scale};
}

std::vector<float> weight_scales(std::span<const double> magnitudes, std::span<const float> biases,
                                 double input_scale) {
  // A channel without weights has no scale of its own; its bias gets the finest of the others.
  double finest = 1;
  for (const double magnitude : magnitudes)
    if (magnitude > 0) finest = std::min(finest, magnitude / kLargestWeight);
  std::vector<float> scales;
  for (std::size_t channel = 0; channel < magnitudes.size(); ++channel) {
    double scale = magnitudes[channel] > 0 ? magnitudes[channel] / kLargestWeight : finest;
    if (channel < biases.size())
      scale = std::max(
          scale, std::abs(static_cast<double>(biases[channel])) / (input_scale * kLargestBias));
    scales.push_back(scale_of(scale));
  }
  return scales;
}

}  // namespace ptq
