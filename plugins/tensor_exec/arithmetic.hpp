// The numbers behind "quantized": one definition of rounding and saturation for all operators.
//
// Quantize      v = x / scale; v limited to [low - zero, high - zero]; q = round(v) + zero
//               (constants once, in double)
// Dequantize    x = float(q - zero) * scale
// Requantize    v = float(accumulator) * ((scale_x * scale_w) / scale_y); then as in quantize
// Bias          round_half_even(double(bias) / double(scale_x * scale_w)), saturated to int32
//
// All in float, each operation rounded once: this library is built without contraction to
// multiply-add. Limiting before rounding keeps values small enough for the rounding below and for
// the conversion to integers.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "plugins/tensor_exec/program.hpp"

// Compiles a function several times and picks one when the program starts.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define ADZE_MULTIVERSION __attribute__((target_clones("default", "avx2")))
#else
#define ADZE_MULTIVERSION
#endif

namespace adze::exec {

/// Half to even, for |v| < 2^22: adding this number leaves no bits for the fraction.
inline float round_half_even(float v) {
  constexpr float kMagic = 12582912.0f;  // 1.5 * 2^23
  return (v + kMagic) - kMagic;
}

/// Half towards plus infinity, for |v| < 2^22.
inline float round_half_up(float v) {
  const float nearest = round_half_even(v);
  return v - nearest == 0.5f ? nearest + 1.0f : nearest;
}

template <Rounding rounding>
inline float round_to_integer(float v) {
  return rounding == Rounding::half_even ? round_half_even(v) : round_half_up(v);
}

/// Per-tensor quantization to at most 8 bits, as the executor holds it: signed integers are stored
/// with 128 added, their zero point too, so that every stored activation is unsigned.
struct Quant8 {
  float scale = 1;
  std::int32_t zero_point = 0, low = 0, high = 255;
  bool operator==(const Quant8&) const = default;
};

/// NaN becomes the lowest value, as max and min order their operands here.
template <Rounding rounding>
inline std::uint8_t to_u8(float v, const Quant8& to) {
  const float low = static_cast<float>(to.low - to.zero_point);
  const float high = static_cast<float>(to.high - to.zero_point);
  v = v > low ? v : low;
  v = v < high ? v : high;
  return static_cast<std::uint8_t>(static_cast<std::int32_t>(round_to_integer<rounding>(v)) +
                                   to.zero_point);
}

inline float dequantize(std::uint8_t q, const Quant8& from) {
  return static_cast<float>(q - from.zero_point) * from.scale;
}

/// `bias` is no NaN. Of a scale that is 0, a product of two tiny ones: 0 stays 0.
inline std::int32_t quantize_bias(float bias, float scale) {
  if (bias == 0) return 0;
  const double q = std::nearbyint(static_cast<double>(bias) / static_cast<double>(scale));
  return static_cast<std::int32_t>(std::clamp<double>(q, std::numeric_limits<std::int32_t>::min(),
                                                      std::numeric_limits<std::int32_t>::max()));
}

}  // namespace adze::exec
