#include "plugins/ptq/calibrators.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace ptq {
namespace {

/// Counts by distance from 0, in as many bins as the histogram has.
struct Folded {
  double width = 0;
  std::vector<double> counts;
};

Folded folded(const Histogram& histogram) {
  const double reach = std::max(std::abs(histogram.low), std::abs(histogram.high));
  Folded made{reach / static_cast<double>(histogram.counts.size()),
              std::vector<double>(histogram.counts.size(), 0)};
  for (std::size_t bin = 0; bin < histogram.counts.size(); ++bin) {
    const double at = std::abs(histogram.middle(bin)) / made.width;
    made.counts[std::min(static_cast<std::size_t>(at), made.counts.size() - 1)] +=
        histogram.counts[bin];
  }
  // Rectified zeros are exact on every grid, and would outweigh all else.
  made.counts[0] = made.counts.size() > 1 ? std::min(made.counts[0], made.counts[1]) : 0;
  return made;
}

/// Divergence of the first `kept` bins on `levels` levels from all of them, the clipped ones at the
/// last.
double divergence(const std::vector<double>& counts, std::size_t kept, std::size_t levels,
                  double clipped) {
  double total = 0;
  for (std::size_t bin = 0; bin < kept; ++bin) total += counts[bin];
  if (total == 0) return std::numeric_limits<double>::infinity();
  const double all = total + clipped;
  double sum = 0, chance = 0;
  for (std::size_t level = 0; level < levels; ++level) {
    const std::size_t first = level * kept / levels, end = (level + 1) * kept / levels;
    double mass = 0, filled = 0;
    for (std::size_t bin = first; bin < end; ++bin) {
      mass += counts[bin];
      filled += counts[bin] > 0;
    }
    if (filled > 0) chance += filled - 1;
    for (std::size_t bin = first; bin < end; ++bin) {
      const double p = (counts[bin] + (bin + 1 == kept ? clipped : 0)) / all;
      if (p == 0) continue;
      // A bin that only holds what was clipped has no share of its level.
      const double q = counts[bin] > 0 ? mass / filled / total : 1e-12;
      sum += p * std::log(p / q);
    }
  }
  // Counts of equally likely values differ by chance, which a level that joins them would be blamed
  // for: small tensors would be clipped far too much.
  return sum - chance / (2 * all);
}

}  // namespace

Range percentile_range(const Histogram& histogram, double percentile) {
  const double total = histogram.total();
  const bool two_sided = histogram.low < 0 && histogram.high > 0;
  const double outside = total * (1 - percentile / 100) / (two_sided ? 2 : 1);
  const std::size_t bins = histogram.counts.size();
  Range range{histogram.low, histogram.high};
  // The end of the last bin whose tail is no larger than what may be left out.
  double tail = 0;
  for (std::size_t bin = bins; histogram.high > 0 && bin-- > 0;) {
    tail += histogram.counts[bin];
    if (tail <= outside) continue;
    range.high = histogram.low + static_cast<double>(bin + 1) * histogram.width();
    break;
  }
  tail = 0;
  for (std::size_t bin = 0; histogram.low < 0 && bin < bins; ++bin) {
    tail += histogram.counts[bin];
    if (tail <= outside) continue;
    range.low = histogram.low + static_cast<double>(bin) * histogram.width();
    break;
  }
  return range;
}

Range entropy_range(const Histogram& histogram, int bits) {
  const bool is_signed = histogram.low < 0;
  const std::size_t levels = std::size_t{1} << (is_signed ? bits - 1 : bits);
  const Folded values = folded(histogram);
  const std::size_t bins = values.counts.size();
  double clipped = 0, least = std::numeric_limits<double>::infinity();
  std::vector<double> behind(bins + 1, 0);
  for (std::size_t bin = bins; bin-- > 0;) behind[bin] = clipped += values.counts[bin];
  std::size_t best = bins;
  constexpr std::size_t kStride = 8;
  for (std::size_t kept = bins; kept >= levels && kept > kStride; kept -= kStride) {
    const double found = divergence(values.counts, kept, levels, kept < bins ? behind[kept] : 0);
    if (found >= least) continue;
    least = found;
    best = kept;
  }
  const double reach = static_cast<double>(best) * values.width;
  return {std::max(histogram.low, -reach), std::min(histogram.high, reach)};
}

Range mse_range(const Histogram& histogram, ZeroPoint zero_point, int bits) {
  Range best{histogram.low, histogram.high};
  double least = std::numeric_limits<double>::infinity();
  const auto offer = [&](const Range& range) {
    const Grid grid = activation_grid(range.low, range.high, zero_point, bits);
    const double error = squared_error(histogram, grid, bits);
    if (error >= least) return;
    least = error;
    best = range;
  };
  constexpr int kSteps = 100, kFewest = 5;
  offer(best);
  if (zero_point == ZeroPoint::symmetric) {
    // One scale on both sides of 0, or none below it.
    const double reach = std::max(histogram.high, -histogram.low);
    for (int step = kSteps; step >= kFewest; --step) {
      const double most = reach * step / kSteps;
      offer({std::max(histogram.low, -most), std::min(histogram.high, most)});
      if (histogram.low < 0 && histogram.high > 0) offer({0, histogram.high * step / kSteps});
    }
    return best;
  }
  for (int round = 0; round < 2; ++round)
    for (double Range::*end : {&Range::high, &Range::low}) {
      const Range found = best;
      const double whole = end == &Range::high ? histogram.high : histogram.low;
      for (int step = kSteps; step >= kFewest; --step) {
        Range tried = found;
        tried.*end = whole * step / kSteps;
        offer(tried);
      }
    }
  return best;
}

}  // namespace ptq
