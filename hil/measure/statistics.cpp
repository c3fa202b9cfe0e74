#include "hil/measure/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "host/base/error.hpp"

namespace adze::hil {
namespace {

std::vector<double> sorted(std::span<const double> values) {
  std::vector<double> copy(values.begin(), values.end());
  std::sort(copy.begin(), copy.end());
  return copy;
}

/// Uniform in 0..n-1 by rejection; the library's distributions differ between implementations.
std::size_t draw(std::mt19937_64& random, std::size_t n) {
  const std::uint64_t limit = std::mt19937_64::max() - std::mt19937_64::max() % n;
  std::uint64_t value = 0;
  do {
    value = random();
  } while (value >= limit);
  return static_cast<std::size_t>(value % n);
}

void add_interval(Statistics& result, const std::vector<double>& order, std::uint64_t seed,
                  std::size_t resamples) {
  std::mt19937_64 random(seed);
  const std::size_t n = order.size();
  std::vector<double> medians(resamples);
  // A resample of sorted values is known by how often each was drawn, so that no sorting is needed.
  std::vector<std::uint32_t> drawn(n);
  for (double& median : medians) {
    std::fill(drawn.begin(), drawn.end(), 0);
    for (std::size_t i = 0; i < n; ++i) ++drawn[draw(random, n)];
    const auto value_at = [&](std::size_t rank) {
      std::size_t seen = 0, at = 0;
      while ((seen += drawn[at]) <= rank) ++at;
      return order[at];
    };
    median = n % 2 ? value_at(n / 2) : (value_at(n / 2 - 1) + value_at(n / 2)) / 2;
  }
  std::sort(medians.begin(), medians.end());
  result.ci95_low = quantile(medians, 0.025);
  result.ci95_high = quantile(medians, 0.975);
}

}  // namespace

double quantile(std::span<const double> sorted, double share) {
  const double at = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (at - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

Statistics statistics_of(std::span<const double> samples, std::uint64_t seed,
                         std::size_t resamples) {
  if (samples.empty()) throw host::Error(ADZE_INVALID_ARGUMENT, "no latency was measured");
  const std::vector<double> order = sorted(samples);
  Statistics result{
      .n = order.size(),
      .min = order.front(),
      .median = quantile(order, 0.5),
      .mean = std::accumulate(order.begin(), order.end(), 0.0) / static_cast<double>(order.size()),
      .max = order.back(),
      .p90 = quantile(order, 0.90),
      .p95 = quantile(order, 0.95)};
  if (order.size() >= kMinSamplesForP99) result.p99 = quantile(order, 0.99);
  std::vector<double> deviations;
  for (const double value : order) deviations.push_back(std::abs(value - result.median));
  result.mad = quantile(sorted(deviations), 0.5);
  const double q1 = quantile(order, 0.25), q3 = quantile(order, 0.75);
  for (const double value : order) {
    const double outside = std::max(q1 - value, value - q3);
    if (outside > 3 * (q3 - q1))
      ++result.severe_outliers;
    else if (outside > 1.5 * (q3 - q1))
      ++result.mild_outliers;
  }
  add_interval(result, order, seed, resamples);
  return result;
}

}  // namespace adze::hil
