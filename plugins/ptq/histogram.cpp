#include "plugins/ptq/histogram.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace ptq {

double Histogram::total() const { return std::accumulate(counts.begin(), counts.end(), 0.0); }

double squared_error(const Histogram& histogram, const Grid& grid, int bits) {
  const double scale = static_cast<double>(grid.scale), zero = grid.zero_point;
  const double highest = (1 << bits) - 1;
  double sum = 0, total = 0;
  for (std::size_t bin = 0; bin < histogram.counts.size(); ++bin) {
    if (histogram.counts[bin] == 0) continue;
    const double x = histogram.middle(bin);
    const double level = std::clamp(std::nearbyint(x / scale) + zero, 0.0, highest);
    const double error = (level - zero) * scale - x;
    sum += histogram.counts[bin] * error * error;
    total += histogram.counts[bin];
  }
  // What a bin is wide spreads the errors in it by the same amount for every grid.
  return total > 0 ? sum / total + histogram.width() * histogram.width() / 12 : 0;
}

}  // namespace ptq
