// How often an activation took which value.
#pragma once

#include <vector>

#include "plugins/quantization/grid.hpp"

namespace ptq {

/// The part of the numbers that a grid is to hold; what lies outside is clipped.
struct Range {
  double low = 0, high = 0;
};

/// Counts in equal parts of low..high.
struct Histogram {
  double low = 0, high = 0;
  std::vector<double> counts;

  double width() const { return (high - low) / static_cast<double>(counts.size()); }
  double middle(std::size_t bin) const { return low + (static_cast<double>(bin) + 0.5) * width(); }
  double total() const;
};

/// Mean squared error of the numbers on the grid, what is clipped included.
double squared_error(const Histogram& histogram, const Grid& grid, int bits);

}  // namespace ptq
