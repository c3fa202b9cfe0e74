// Is B slower than A? Two sets of repetitions, measured in turns on one board.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "hil/measure/statistics.hpp"

namespace adze::hil {

/// Below this a rank test says nothing.
inline constexpr std::size_t kMinRepetitions = 9;

struct AbLimits {
  double alpha = 0.01;       ///< share of false alarms among comparisons of equals, at most
  double min_effect = 0.01;  ///< a smaller share of A's latency is no difference
};

struct AbResult {
  std::size_t n_a = 0, n_b = 0;
  double median_a = 0, median_b = 0;
  /// By what share of A's latency B is slower: the Hodges-Lehmann estimate, over all pairs.
  double shift = 0;
  Interval shift_ci95;
  double u = 0, p = 1;   ///< Mann-Whitney, two-sided
  bool exact = false;    ///< of p: counted, not approximated (no two values are equal)
  bool differs = false;  ///< p < alpha and |shift| >= min_effect
};

/// One number a repetition: the median of its inferences. Inferences of one repetition depend on
/// each other, so they are no samples of their own. Errors: INVALID_ARGUMENT for fewer than
/// kMinRepetitions on a side, or numbers that are not positive.
AbResult compare_ab(std::span<const double> a, std::span<const double> b,
                    const AbLimits& limits = {});

/// Two-sided p of the Mann-Whitney U test; `exact` tells how.
double mann_whitney_p(std::span<const double> a, std::span<const double> b, double& u, bool& exact);

/// Whether B goes first in each of `repetitions` pairs. The same for the same seed.
std::vector<bool> interleaving(std::size_t repetitions, std::uint64_t seed);

}  // namespace adze::hil
