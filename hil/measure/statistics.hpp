// What a vector of latencies says, and how sure that is.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace adze::hil {

/// Samples below which a 99th percentile is not stated at 99 % confidence when one sample may lie
/// above it: the smallest n with P[Bin(n, 0.01) <= 1] <= 0.01.
inline constexpr std::size_t kMinSamplesForP99 = 662;

struct Statistics {
  std::size_t n = 0;
  double min = 0, median = 0, mean = 0, max = 0;
  double mad = 0;  ///< median absolute deviation from the median
  double p90 = 0, p95 = 0;
  std::optional<double> p99;           ///< nullopt: too few samples to say
  double ci95_low = 0, ci95_high = 0;  ///< of the median
  /// Beyond Tukey's fences, 1.5 and 3 interquartile ranges outside of the quartiles. They are
  /// counted, never dropped.
  std::size_t mild_outliers = 0, severe_outliers = 0;
};

/// In the unit of `samples`. The interval is a percentile bootstrap over `resamples` draws, the
/// same for the same seed. Errors: INVALID_ARGUMENT without samples.
Statistics statistics_of(std::span<const double> samples, std::uint64_t seed = 0,
                         std::size_t resamples = 1000);
/// Linear between order statistics (type 7). `sorted` must not be empty; `share` in 0..1.
double quantile(std::span<const double> sorted, double share);

}  // namespace adze::hil
