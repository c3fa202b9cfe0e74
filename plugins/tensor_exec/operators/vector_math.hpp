// Exponentials and what is made of them, to about one unit in the last place, without branches and
// calls: loops over them use the CPU's vector units. The same bits on every CPU, as each operation
// is rounded once.
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace adze::exec {

/// x = power * log(2) + rest, log(2) in two parts, the first of which leaves no error.
struct PowerOfTwo {
  std::uint32_t power;  ///< in two's complement
  float of_rest;        ///< exp(rest)
};

[[gnu::always_inline]] inline PowerOfTwo power_of_two(float x) {
  constexpr float kMagic = 12582912.0f;  // 1.5 * 2^23: adding it leaves no bits for the fraction
  constexpr std::uint32_t kMagicBits = 0x4B400000;
  const float shifted = x * 1.44269504f + kMagic;
  const float power = shifted - kMagic;
  const float rest = (x - power * 0.693359375f) - power * -2.12194440e-4f;
  // Pairs of terms, so that few operations wait for each other.
  const float square = rest * rest;
  const float highest = 1.9875691500e-4f * rest + 1.3981999507e-3f;
  const float middle = 8.3334519073e-3f * rest + 4.1665795894e-2f;
  const float lowest = 1.6666665459e-1f * rest + 5.0000001201e-1f;
  const float p = (highest * square + middle) * square + lowest;
  return {std::bit_cast<std::uint32_t>(shifted) - kMagicBits, p * square + rest + 1.0f};
}

/// For x from -86.6 to 88.
[[gnu::always_inline]] inline float exponential_within(float x) {
  const PowerOfTwo result = power_of_two(x);
  return result.of_rest * std::bit_cast<float>((result.power + 127) << 23);
}

inline constexpr float kLowestExponent = -86.6f, kHighestExponent = 88.72283f;

/// Results below 2.5e-38 are 0.
[[gnu::always_inline]] inline float exponential(float x) {
  constexpr float kLowest = kLowestExponent, kHighest = kHighestExponent;
  const float raised = x < kLowest ? kLowest : x;
  const PowerOfTwo limited = power_of_two(raised > kHighest ? kHighest : raised);
  // 2^power in two factors: 2^128 is no float, though its product may be one.
  const float result = limited.of_rest * std::bit_cast<float>((limited.power + 126) << 23) * 2.0f;
  const float high = x > kHighest ? std::numeric_limits<float>::infinity() : result;
  return x < kLowest ? 0.0f : high;
}

/// Below the split the result is odd, from `flat` on it is 1.
inline constexpr float kSplitError = 0.921875f, kFlatError = 4.0f;
inline constexpr float kSmallError[] = {-6.0133932857e-4f, 4.9980008043e-3f,  -2.6770232245e-2f,
                                        1.1281926930e-1f,  -3.7612506747e-1f, 1.2837915123e-1f};
inline constexpr float kLargeError[] = {1.1303821339e-5f,  -3.2352329702e-4f, 3.6454070359e-3f,
                                        -2.3768294603e-2f, 1.0624410957e-1f,  6.3514697552e-1f,
                                        1.2864956260e-1f};

template <std::size_t count>
[[gnu::always_inline]] inline float polynomial(float x, const float (&coefficients)[count]) {
  float result = coefficients[0];
  for (std::size_t i = 1; i < count; ++i) result = result * x + coefficients[i];
  return result;
}

[[gnu::always_inline]] inline float error_function(float x) {
  const float magnitude = std::fabs(x);
  const float small = polynomial(x * x, kSmallError) * x + x;
  const float t = magnitude > kFlatError ? kFlatError : magnitude;
  const float large = 1.0f - exponential_within(-(polynomial(t, kLargeError) * t + t));
  return magnitude > kSplitError ? std::copysign(large, x) : small;
}

[[gnu::always_inline]] inline float hyperbolic_tangent(float x) {
  constexpr float kSplit = 0.625f;
  const float magnitude = std::fabs(x);
  const float square = x * x;
  float small = -5.70498872745e-3f;
  small = small * square + 2.06390887954e-2f;
  small = small * square + -5.37397155531e-2f;
  small = small * square + 1.33314422036e-1f;
  small = small * square + -3.33332819422e-1f;
  small = small * square * x + x;
  const float large = 1.0f - 2.0f / (exponential(2.0f * magnitude) + 1.0f);
  return magnitude > kSplit ? std::copysign(large, x) : small;
}

/// Within these limits no power of two is a special case.
inline constexpr float kLowestLogistic = -87.0f, kHighestLogistic = 86.6f;

/// 1 / (1 + exp(-x)); never 0, but down to 1.7e-38. Also in avx2_functions.cpp.
[[gnu::always_inline]] inline float logistic(float x) {
  const float raised = x < kLowestLogistic ? kLowestLogistic : x;
  const float limited = raised > kHighestLogistic ? kHighestLogistic : raised;
  return 1.0f / (1.0f + exponential_within(-limited));
}

}  // namespace adze::exec
