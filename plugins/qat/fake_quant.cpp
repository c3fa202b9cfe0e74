#include "plugins/qat/fake_quant.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace qat {
namespace {

// Adding and taking away 1.5 * 2^23 rounds half to even, in every instruction set.
constexpr float kRounder = 12582912.0F;
constexpr std::size_t kLanes = 16;

// Levels are below 2^16, so a clamped quotient is small enough for the rounder.
inline float rounded(float quotient) { return (quotient + kRounder) - kRounder; }
inline float clamped(float x, float low, float high) {
  x = x < low ? low : x;
  return x > high ? high : x;
}

double squared_error(const std::vector<float>& some, const Levels& levels) {
  std::vector<float> on_grid(some.size());
  round_to_grid(some.data(), on_grid.data(), some.size(), levels);
  double sum = 0;
  for (std::size_t i = 0; i < some.size(); ++i) {
    const double difference = static_cast<double>(some[i]) - static_cast<double>(on_grid[i]);
    sum += difference * difference;
  }
  return sum;
}

}  // namespace

Levels levels_of(double log_scale, float low, float high) {
  return {static_cast<float>(std::exp(log_scale)), low, high};
}

// Code for wider registers is picked when the library is loaded; results are the same.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define ADZE_QAT_WIDE __attribute__((target_clones("avx2", "default")))
#else
#define ADZE_QAT_WIDE
#endif

ADZE_QAT_WIDE void round_to_grid(const float* x, float* y, std::size_t count,
                                 const Levels& levels) {
  const float scale = levels.scale, low = levels.low, high = levels.high;
  for (std::size_t i = 0; i < count; ++i) y[i] = rounded(clamped(x[i] / scale, low, high)) * scale;
}

ADZE_QAT_WIDE double gradient_of_rounding(const float* x, const float* gradient, float* x_gradient,
                                          std::size_t count, const Levels& levels) {
  const float scale = levels.scale, low = levels.low, high = levels.high;
  float sums[kLanes] = {};  // each adds up on its own, so that the order of adding is fixed
  std::size_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const float quotient = x[i + lane] / scale, inside = clamped(quotient, low, high);
      const float passes = inside == quotient ? 1.0F : 0.0F;
      const float upstream = gradient[i + lane];
      x_gradient[i + lane] = upstream * passes;
      sums[lane] += upstream * (rounded(inside) - inside * passes);
    }
  double sum = 0;
  for (; i < count; ++i) {
    const float quotient = x[i] / scale, inside = clamped(quotient, low, high);
    const float passes = inside == quotient ? 1.0F : 0.0F;
    x_gradient[i] = gradient[i] * passes;
    sum += static_cast<double>(gradient[i] * (rounded(inside) - inside * passes));
  }
  for (const float lane : sums) sum += static_cast<double>(lane);
  return sum;
}

ADZE_QAT_WIDE Range range_of(const float* x, std::size_t count) {
  float low[kLanes], high[kLanes];
  for (std::size_t lane = 0; lane < kLanes; ++lane) low[lane] = high[lane] = x[0];
  std::size_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      low[lane] = x[i + lane] < low[lane] ? x[i + lane] : low[lane];
      high[lane] = x[i + lane] > high[lane] ? x[i + lane] : high[lane];
    }
  for (; i < count; ++i) {
    low[0] = std::min(low[0], x[i]);
    high[0] = std::max(high[0], x[i]);
  }
  return {*std::min_element(low, low + kLanes), *std::max_element(high, high + kLanes)};
}

double best_share(const std::vector<float>& some, const Levels& whole) {
  double best = 1, least = std::numeric_limits<double>::infinity();
  for (double share = 1; share > 0.3; share -= 0.05) {
    Levels levels = whole;
    levels.scale = static_cast<float>(static_cast<double>(whole.scale) * share);
    const double error = squared_error(some, levels);
    if (error < least) {
      least = error;
      best = share;
    }
  }
  return best;
}

}  // namespace qat
