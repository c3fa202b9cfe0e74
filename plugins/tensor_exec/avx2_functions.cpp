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

/// The operations of logistic() in vector_math.hpp, one by one.
ADZE_AVX2_INLINE __m256 logistic_vector(__m256 given) {
  const __m256 limited = _mm256_min_ps(_mm256_set1_ps(kHighestLogistic),
                                       _mm256_max_ps(_mm256_set1_ps(kLowestLogistic), given));
  const __m256 x = _mm256_xor_ps(limited, _mm256_set1_ps(-0.0f));
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
  const __m256 of_rest = plus(_mm256_add_ps(_mm256_mul_ps(p, square), rest), 1.0f);
  const __m256i exponent = _mm256_slli_epi32(
      _mm256_add_epi32(_mm256_castps_si256(shifted), _mm256_set1_epi32(127 - 0x4B400000)), 23);
  const __m256 exponential = _mm256_mul_ps(of_rest, _mm256_castsi256_ps(exponent));
  return _mm256_div_ps(_mm256_set1_ps(1.0f), plus(exponential, 1.0f));
}

/// Returns how many it did.
ADZE_AVX2 std::int64_t logistic_vectors(const float* src, float* dst, std::int64_t count) {
  std::int64_t i = 0;
  for (; i + 8 <= count; i += 8)
    _mm256_storeu_ps(dst + i, logistic_vector(_mm256_loadu_ps(src + i)));
  return i;
}
#endif

}  // namespace

void logistic_row(const float* src, float* dst, std::int64_t count) {
  std::int64_t i = 0;
#if defined(ADZE_AVX2)
  static const bool has_vectors = widest_vectors() != Vectors::narrower;
  if (has_vectors) i = logistic_vectors(src, dst, count);
#endif
  for (; i < count; ++i) dst[i] = logistic(src[i]);
}

}  // namespace adze::exec
