#include "plugins/tensor_exec/operators/moments.hpp"

#include <array>

#include "plugins/tensor_exec/arithmetic.hpp"

namespace adze::exec {
namespace {

constexpr std::int64_t kLanes = 8;  ///< sums side by side, for the CPU's vector units

/// Sum of (x - centre), or of its square.
template <bool squared>
inline double sum(const float* elements, std::int64_t count, double centre) {
  std::array<double, kLanes> sums{};
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    for (std::int64_t lane = 0; lane < kLanes; ++lane) {
      const double x = static_cast<double>(elements[i + lane]) - centre;
      sums[static_cast<std::size_t>(lane)] += squared ? x * x : x;
    }
  for (; i < count; ++i) {
    const double x = static_cast<double>(elements[i]) - centre;
    sums[0] += squared ? x * x : x;
  }
  double total = 0;
  for (const double lane : sums) total += lane;
  return total;
}

ADZE_MULTIVERSION
double plain_sum(const float* elements, std::int64_t count) {
  return sum<false>(elements, count, 0);
}

ADZE_MULTIVERSION
double squares_around(const float* elements, std::int64_t count, double centre) {
  return sum<true>(elements, count, centre);
}

}  // namespace

Moments moments_of(const float* elements, std::int64_t count) {
  if (count == 0) return {};
  const auto number = static_cast<double>(count);
  Moments moments;
  moments.mean = plain_sum(elements, count) / number;
  moments.variance = squares_around(elements, count, moments.mean) / number;
  return moments;
}

double mean_square_of(const float* elements, std::int64_t count) {
  return count == 0 ? 0 : squares_around(elements, count, 0) / static_cast<double>(count);
}

}  // namespace adze::exec
