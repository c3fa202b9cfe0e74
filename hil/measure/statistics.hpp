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
/// Samples below which no 95 % interval of the median can be stated: all of them lie on one side of
/// it once in 2^(n-1) times.
inline constexpr std::size_t kMinSamplesForInterval = 6;
/// Samples below which the interval is that of order statistics, which holds for any n, because a
/// bootstrap of so few is too narrow.
inline constexpr std::size_t kMinSamplesForBootstrap = 30;

struct Interval {
  double low = 0, high = 0;
  bool operator==(const Interval&) const = default;
};

struct Statistics {
  std::size_t n = 0;
  double min = 0, median = 0, mean = 0, max = 0;
  double deviation = 0;  ///< standard deviation, n - 1; 0 for one sample
  double mad = 0;        ///< median absolute deviation from the median
  double p90 = 0, p95 = 0;
  std::optional<double> p99;     ///< nullopt: too few samples to say
  std::optional<Interval> ci95;  ///< of the median; nullopt: too few samples to say
  /// Beyond Tukey's fences, 1.5 and 3 interquartile ranges outside of the quartiles. They are
  /// counted, never dropped.
  std::size_t mild_outliers = 0, severe_outliers = 0;
};

/// In the unit of `samples`. The interval is a percentile bootstrap over `resamples` draws, the
/// same for the same seed; see kMinSamplesForBootstrap. Errors: INVALID_ARGUMENT without samples.
Statistics statistics_of(std::span<const double> samples, std::uint64_t seed = 0,
                         std::size_t resamples = 1000);
/// Linear between order statistics (type 7). `sorted` must not be empty; `share` in 0..1.
double quantile(std::span<const double> sorted, double share);
std::vector<double> sorted(std::span<const double> values);

}  // namespace adze::hil
