#include "plugins/tensor_exec/avx2_functions.hpp"

#include "plugins/tensor_exec/avx2.hpp"
#include "plugins/tensor_exec/operators/vector_math.hpp"

#if defined(ADZE_AVX2)
#include <immintrin.h>
#endif

namespace adze::exec {
namespace {

#if defined(ADZE_AVX2)
ADZE_AVX2_INLINE __m256 times(__m256 a, float b) { return _mm256_mul_ps(a, _mm256_set1_ps(b)); }
ADZE_AVX2_INLINE __m256 plus(__m256 a, float b) { return _mm256_add_ps(a, _mm256_set1_ps(b)); }

// The operations of vector_math.hpp, one by one.
struct PowersOfTwo {
  __m256i power;
  __m256 of_rest;
};

ADZE_AVX2_INLINE PowersOfTwo powers_of_two(__m256 x) {
  const __m256 shifted = plus(times(x, 1.44269504f), 12582912.0f);
  const __m256 power = _mm256_sub_ps(shifted, _mm256_set1_ps(12582912.0f));
  const __m256 rest =
      _mm256_sub_ps(_mm256_sub_ps(x, times(power, 0.693359375f)), times(power, -2.12194440e-4f));
  const __m256 square = _mm256_mul_ps(rest, rest);
  const __m256 highest = plus(times(rest, 1.9875691500e-4f), 1.3981999507e-3f);
  const __m256 middle = plus(times(rest, 8.3334519073e-3f), 4.1665795894e-2f);
  const __m256 lowest = plus(times(rest, 1.6666665459e-1f), 5.0000001201e-1f);
  const __m256 p = _mm256_add_ps(
      _mm256_mul_ps(_mm256_add_ps(_mm256_mul_ps(highest, square), middle), square), lowest);
  return {_mm256_sub_epi32(_mm256_castps_si256(shifted), _mm256_set1_epi32(0x4B400000)),
          plus(_mm256_add_ps(_mm256_mul_ps(p, square), rest), 1.0f)};
}

/// 2^(power + bias - 127)
ADZE_AVX2_INLINE __m256 scales(__m256i power, int bias) {
  return _mm256_castsi256_ps(
      _mm256_slli_epi32(_mm256_add_epi32(power, _mm256_set1_epi32(bias)), 23));
}

ADZE_AVX2_INLINE __m256 exponentials_within(__m256 x) {
  const PowersOfTwo result = powers_of_two(x);
  return _mm256_mul_ps(result.of_rest, scales(result.power, 127));
}

ADZE_AVX2_INLINE __m256 exponentials(__m256 x) {
  const __m256 lowest = _mm256_set1_ps(kLowestExponent), highest = _mm256_set1_ps(kHighestExponent);
  const PowersOfTwo limited = powers_of_two(_mm256_min_ps(highest, _mm256_max_ps(lowest, x)));
  const __m256 result = times(_mm256_mul_ps(limited.of_rest, scales(limited.power, 126)), 2.0f);
  const __m256 high =
      _mm256_blendv_ps(result, _mm256_set1_ps(std::numeric_limits<float>::infinity()),
                       _mm256_cmp_ps(x, highest, _CMP_GT_OQ));
  return _mm256_andnot_ps(_mm256_cmp_ps(x, lowest, _CMP_LT_OQ), high);
}

ADZE_AVX2_INLINE __m256 negated(__m256 x) { return _mm256_xor_ps(x, _mm256_set1_ps(-0.0f)); }

ADZE_AVX2_INLINE __m256 logistics(__m256 x) {
  const __m256 limited = _mm256_min_ps(_mm256_set1_ps(kHighestLogistic),
                                       _mm256_max_ps(_mm256_set1_ps(kLowestLogistic), x));
  return _mm256_div_ps(_mm256_set1_ps(1.0f), plus(exponentials_within(negated(limited)), 1.0f));
}

ADZE_AVX2_INLINE __m256 polynomial(__m256 x, const float* coefficients, int count) {
  __m256 result = _mm256_set1_ps(coefficients[0]);
  for (int i = 1; i < count; ++i) result = plus(_mm256_mul_ps(result, x), coefficients[i]);
  return result;
}

ADZE_AVX2_INLINE __m256 error_functions(__m256 x) {
  const __m256 sign = _mm256_set1_ps(-0.0f);
  const __m256 magnitude = _mm256_andnot_ps(sign, x);
  const __m256 small =
      _mm256_add_ps(_mm256_mul_ps(polynomial(_mm256_mul_ps(x, x), kSmallError, 6), x), x);
  const __m256 t = _mm256_min_ps(_mm256_set1_ps(kFlatError), magnitude);
  const __m256 power = _mm256_add_ps(_mm256_mul_ps(polynomial(t, kLargeError, 7), t), t);
  const __m256 large = _mm256_sub_ps(_mm256_set1_ps(1.0f), exponentials_within(negated(power)));
  const __m256 with_sign = _mm256_or_ps(_mm256_andnot_ps(sign, large), _mm256_and_ps(sign, x));
  return _mm256_blendv_ps(small, with_sign,
                          _mm256_cmp_ps(magnitude, _mm256_set1_ps(kSplitError), _CMP_GT_OQ));
}

// These return how many elements they did.
ADZE_AVX2 std::int64_t logistic_vectors(const float* src, float* dst, std::int64_t count) {
  std::int64_t i = 0;
  for (; i + 8 <= count; i += 8) _mm256_storeu_ps(dst + i, logistics(_mm256_loadu_ps(src + i)));
  return i;
}
ADZE_AVX2 std::int64_t error_vectors(const float* src, float* dst, std::int64_t count) {
  std::int64_t i = 0;
  for (; i + 8 <= count; i += 8)
    _mm256_storeu_ps(dst + i, error_functions(_mm256_loadu_ps(src + i)));
  return i;
}
ADZE_AVX2 std::int64_t exponential_vectors(const float* src, float largest, float* dst,
                                           std::int64_t count) {
  std::int64_t i = 0;
  for (; i + 8 <= count; i += 8)
    _mm256_storeu_ps(
        dst + i, exponentials(_mm256_sub_ps(_mm256_loadu_ps(src + i), _mm256_set1_ps(largest))));
  return i;
}

bool has_vectors() {
  static const bool has = widest_vectors() != Vectors::narrower;
  return has;
}
#endif

}  // namespace

void logistic_row(const float* src, float* dst, std::int64_t count) {
  std::int64_t i = 0;
#if defined(ADZE_AVX2)
  if (has_vectors()) i = logistic_vectors(src, dst, count);
#endif
  for (; i < count; ++i) dst[i] = logistic(src[i]);
}

void error_function_row(const float* src, float* dst, std::int64_t count) {
  std::int64_t i = 0;
#if defined(ADZE_AVX2)
  if (has_vectors()) i = error_vectors(src, dst, count);
#endif
  for (; i < count; ++i) dst[i] = error_function(src[i]);
}

void exponential_row(const float* src, float largest, float* dst, std::int64_t count) {
  std::int64_t i = 0;
#if defined(ADZE_AVX2)
  if (has_vectors()) i = exponential_vectors(src, largest, dst, count);
#endif
  for (; i < count; ++i) dst[i] = exponential(src[i] - largest);
}

}  // namespace adze::exec
