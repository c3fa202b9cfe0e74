#include "hil/measure/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "host/base/error.hpp"

namespace adze::hil {
namespace {

/// Uniform in 0..n-1 by rejection; the library's distributions differ between implementations.
std::size_t draw(std::mt19937_64& random, std::size_t n) {
  const std::uint64_t limit = std::mt19937_64::max() - std::mt19937_64::max() % n;
  std::uint64_t value = 0;
  do {
    value = random();
  } while (value >= limit);
  return static_cast<std::size_t>(value % n);
}

/// From the k-th smallest to the k-th largest, k as large as P[Bin(n, 1/2) < k] <= 2.5 % lets it
/// be.
Interval order_interval(const std::vector<double>& order) {
  const auto n = static_cast<double>(order.size());
  double probability = std::pow(0.5, n), tail = probability;
  std::size_t k = 0;
  while (tail <= 0.025) {
    ++k;
    probability *= (n - static_cast<double>(k) + 1) / static_cast<double>(k);
    tail += probability;
  }
  return {order[k - 1], order[order.size() - k]};
}

Interval bootstrap_interval(const std::vector<double>& order, std::uint64_t seed,
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
  return {quantile(medians, 0.025), quantile(medians, 0.975)};
}

}  // namespace

std::vector<double> sorted(std::span<const double> values) {
  std::vector<double> copy(values.begin(), values.end());
  std::sort(copy.begin(), copy.end());
  return copy;
}

double quantile(std::span<const double> order, double share) {
  const double at = share * static_cast<double>(order.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const std::size_t above = std::min(below + 1, order.size() - 1);
  return order[below] + (at - static_cast<double>(below)) * (order[above] - order[below]);
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
  double squares = 0;
  for (const double value : order) {
    deviations.push_back(std::abs(value - result.median));
    squares += (value - result.mean) * (value - result.mean);
  }
  if (order.size() > 1)
    result.deviation = std::sqrt(squares / static_cast<double>(order.size() - 1));
  result.mad = quantile(sorted(deviations), 0.5);
  const double q1 = quantile(order, 0.25), q3 = quantile(order, 0.75);
  for (const double value : order) {
    const double outside = std::max(q1 - value, value - q3);
    if (outside > 3 * (q3 - q1))
      ++result.severe_outliers;
    else if (outside > 1.5 * (q3 - q1))
      ++result.mild_outliers;
  }
  if (order.size() >= kMinSamplesForBootstrap)
    result.ci95 = bootstrap_interval(order, seed, resamples);
  else if (order.size() >= kMinSamplesForInterval)
    result.ci95 = order_interval(order);
  return result;
}

}  // namespace adze::hil
