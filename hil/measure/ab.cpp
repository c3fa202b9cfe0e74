#include "hil/measure/ab.hpp"

#include <algorithm>
#include <cmath>
#include <random>
#include <string>

#include "host/base/error.hpp"

namespace adze::hil {
namespace {

using host::Error;

/// Counting takes n m (n + m) steps; above this the normal distribution is as good.
constexpr std::size_t kMostCounted = 60;
constexpr double kTwoSided95 = 1.959963984540054;

/// P[U <= u] for groups of n and m without ties, if both come from one distribution:
/// p(n, m, u) = n / (n + m) p(n - 1, m, u - m) + m / (n + m) p(n, m - 1, u).
double exact_lower_tail(std::size_t n, std::size_t m, double u) {
  std::vector<std::vector<double>> row(m + 1, std::vector<double>{1.0});
  for (std::size_t i = 1; i <= n; ++i) {
    std::vector<std::vector<double>> next(m + 1);
    next[0] = {1.0};
    for (std::size_t j = 1; j <= m; ++j) {
      const double share = static_cast<double>(i) / static_cast<double>(i + j);
      std::vector<double>& here = next[j];
      here.assign(i * j + 1, 0.0);
      for (std::size_t k = 0; k < row[j].size(); ++k) here[k + j] += share * row[j][k];
      for (std::size_t k = 0; k < next[j - 1].size(); ++k) here[k] += (1 - share) * next[j - 1][k];
    }
    row = std::move(next);
  }
  double sum = 0;
  for (std::size_t k = 0; k < row[m].size() && static_cast<double>(k) <= u; ++k) sum += row[m][k];
  return sum;
}

struct Ranked {
  double value;
  bool of_a;
};

/// U of A, and the sum of t^3 - t over groups of t equal values.
double u_of(std::span<const double> a, std::span<const double> b, double& ties) {
  std::vector<Ranked> all;
  for (const double value : a) all.push_back({value, true});
  for (const double value : b) all.push_back({value, false});
  std::sort(all.begin(), all.end(),
            [](const Ranked& x, const Ranked& y) { return x.value < y.value; });
  double ranks = 0;
  ties = 0;
  for (std::size_t begin = 0; begin < all.size();) {
    std::size_t end = begin;
    while (end < all.size() && all[end].value == all[begin].value) ++end;
    const double rank = static_cast<double>(begin + end + 1) / 2;
    const auto equal = static_cast<double>(end - begin);
    for (; begin < end; ++begin)
      if (all[begin].of_a) ranks += rank;
    ties += equal * equal * equal - equal;
  }
  const auto n = static_cast<double>(a.size());
  return ranks - n * (n + 1) / 2;
}

void check(std::span<const double> values, const char* side) {
  if (values.size() < kMinRepetitions)
    throw Error(ADZE_INVALID_ARGUMENT, std::string("side ") + side + " has " +
                                           std::to_string(values.size()) +
                                           " repetitions; a comparison needs at least " +
                                           std::to_string(kMinRepetitions) + " of each");
  if (!std::all_of(values.begin(), values.end(),
                   [](double v) { return std::isfinite(v) && v > 0; }))
    throw Error(ADZE_INVALID_ARGUMENT,
                std::string("side ") + side + " has a latency that is not positive");
}

}  // namespace

double mann_whitney_p(std::span<const double> a, std::span<const double> b, double& u,
                      bool& exact) {
  double ties = 0;
  u = u_of(a, b, ties);
  const auto n = static_cast<double>(a.size()), m = static_cast<double>(b.size());
  const double smaller = std::min(u, n * m - u);
  exact = ties == 0 && std::max(a.size(), b.size()) <= kMostCounted;
  if (exact) return std::min(1.0, 2 * exact_lower_tail(a.size(), b.size(), smaller));
  const double variance = n * m / 12 * ((n + m + 1) - ties / ((n + m) * (n + m - 1)));
  if (variance <= 0) return 1;  // all values are equal
  const double z = (n * m / 2 - smaller - 0.5) / std::sqrt(variance);
  return z <= 0 ? 1 : std::erfc(z / std::sqrt(2.0));
}

AbResult compare_ab(std::span<const double> a, std::span<const double> b, const AbLimits& limits) {
  check(a, "A");
  check(b, "B");
  AbResult result{.n_a = a.size(),
                  .n_b = b.size(),
                  .median_a = quantile(sorted(a), 0.5),
                  .median_b = quantile(sorted(b), 0.5)};
  result.p = mann_whitney_p(a, b, result.u, result.exact);
  std::vector<double> ratios;
  for (const double x : a)
    for (const double y : b) ratios.push_back(y / x - 1);
  std::sort(ratios.begin(), ratios.end());
  result.shift = quantile(ratios, 0.5);
  // The test's own interval: the shifts it would not reject.
  const auto n = static_cast<double>(a.size()), m = static_cast<double>(b.size());
  const double outside = n * m / 2 - kTwoSided95 * std::sqrt(n * m * (n + m + 1) / 12);
  const auto k = static_cast<std::size_t>(std::max(0.0, std::floor(outside)));
  result.shift_ci95 = {ratios[k], ratios[ratios.size() - 1 - k]};
  result.differs = result.p < limits.alpha && std::abs(result.shift) >= limits.min_effect;
  return result;
}

std::vector<bool> interleaving(std::size_t repetitions, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<bool> order(repetitions);
  for (std::size_t i = 0; i < repetitions; ++i) order[i] = random() >> 63;
  return order;
}

}  // namespace adze::hil
