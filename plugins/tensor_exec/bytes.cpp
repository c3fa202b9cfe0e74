#include "plugins/tensor_exec/bytes.hpp"

#include "plugins/tensor_exec/avx2.hpp"

#if defined(ADZE_AVX2)
#include <immintrin.h>
#endif

namespace adze::exec {
namespace {

template <Rounding rounding, class Combine>
[[gnu::always_inline]] inline void combine_each(const BytePairs& pairs, const Combine& combine) {
  const BytePairs all = pairs;
  for (std::int64_t row = 0; row < all.rows; ++row) {
    const std::uint8_t *a = all.a + row * all.a_step, *b = all.b + row * all.b_step;
    std::uint8_t* dst = all.dst + row * all.width;
    for (std::int64_t i = 0; i < all.width; ++i) {
      const float x = combine(dequantize(a[i], all.from_a), dequantize(b[i], all.from_b));
      const float raised = x < all.clamp.low ? all.clamp.low : x;
      const float limited = raised > all.clamp.high ? all.clamp.high : raised;
      dst[i] = to_u8<rounding>(limited / all.to.scale, all.to);
    }
  }
}

#define ADZE_COMBINE(name, rounding, sign)                                    \
  ADZE_MULTIVERSION void name(const BytePairs& pairs) {                       \
    combine_each<rounding>(pairs, [](float x, float y) { return x sign y; }); \
  }
ADZE_COMBINE(add_half_even, Rounding::half_even, +)
ADZE_COMBINE(sub_half_even, Rounding::half_even, -)
ADZE_COMBINE(mul_half_even, Rounding::half_even, *)
ADZE_COMBINE(div_half_even, Rounding::half_even, /)
ADZE_COMBINE(add_half_up, Rounding::half_up, +)
ADZE_COMBINE(sub_half_up, Rounding::half_up, -)
ADZE_COMBINE(mul_half_up, Rounding::half_up, *)
ADZE_COMBINE(div_half_up, Rounding::half_up, /)
#undef ADZE_COMBINE

#if defined(ADZE_AVX2)

/// Four vectors at a time: each entry of the table is loaded once for them.
template <int kVectors>
ADZE_AVX2_INLINE void look_up(const Table& differences, const std::uint8_t* src,
                              std::uint8_t* dst) {
  __m256i from[kVectors], found[kVectors];
  for (int v = 0; v < kVectors; ++v) {
    from[v] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(src) + v);
    found[v] = _mm256_setzero_si256();
  }
  const __m256i sixteen = _mm256_set1_epi8(16), half = _mm256_set1_epi8(-128);
  for (int first : {0, 8}) {
    __m256i index[kVectors];
    for (int v = 0; v < kVectors; ++v)
      index[v] = first == 0 ? from[v] : _mm256_xor_si256(from[v], half);
    for (int i = first; i < first + 8; ++i) {
      const __m256i entries = _mm256_broadcastsi128_si256(
          _mm_load_si128(reinterpret_cast<const __m128i*>(differences.data()) + i));
      for (int v = 0; v < kVectors; ++v) {
        // Of a negative index the shuffle makes 0; one that was too large becomes negative once.
        found[v] = _mm256_xor_si256(found[v], _mm256_shuffle_epi8(entries, index[v]));
        index[v] = _mm256_subs_epi8(index[v], sixteen);
      }
    }
  }
  for (int v = 0; v < kVectors; ++v)
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(dst) + v, found[v]);
}

/// Returns how many it did.
ADZE_AVX2 std::int64_t look_up_vectors(const Table& differences, const std::uint8_t* src,
                                       std::int64_t count, std::uint8_t* dst) {
  std::int64_t i = 0;
  for (; i + 128 <= count; i += 128) look_up<4>(differences, src + i, dst + i);
  for (; i + 32 <= count; i += 32) look_up<1>(differences, src + i, dst + i);
  return i;
}

/// Half to even: as vectors round.
class VectorPairs {
 public:
  ADZE_AVX2 explicit VectorPairs(const BytePairs& pairs)
      : zero_a_(_mm256_set1_epi32(pairs.from_a.zero_point)),
        zero_b_(_mm256_set1_epi32(pairs.from_b.zero_point)),
        zero_(_mm256_set1_epi32(pairs.to.zero_point)),
        scale_a_(_mm256_set1_ps(pairs.from_a.scale)),
        scale_b_(_mm256_set1_ps(pairs.from_b.scale)),
        scale_(_mm256_set1_ps(pairs.to.scale)),
        least_(_mm256_set1_ps(pairs.clamp.low)),
        most_(_mm256_set1_ps(pairs.clamp.high)),
        low_(_mm256_set1_ps(static_cast<float>(pairs.to.low - pairs.to.zero_point))),
        high_(_mm256_set1_ps(static_cast<float>(pairs.to.high - pairs.to.zero_point))) {}

  /// Of 16 elements.
  template <class Combine>
  ADZE_AVX2_INLINE __m128i bytes(__m128i a, __m128i b, const Combine& combine) const {
    const __m256i left = eight(a, b, combine);
    const __m256i right = eight(_mm_srli_si128(a, 8), _mm_srli_si128(b, 8), combine);
    const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(left, right), 0xD8);
    return _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
  }

 private:
  /// The order of operands of max and min decides what becomes of NaN: as in to_u8().
  template <class Combine>
  ADZE_AVX2_INLINE __m256i eight(__m128i a, __m128i b, const Combine& combine) const {
    const __m256 x = combine(floats(a, zero_a_, scale_a_), floats(b, zero_b_, scale_b_));
    const __m256 limited = _mm256_min_ps(most_, _mm256_max_ps(least_, x));
    const __m256 v = _mm256_max_ps(_mm256_div_ps(limited, scale_), low_);
    return _mm256_add_epi32(_mm256_cvtps_epi32(_mm256_min_ps(v, high_)), zero_);
  }
  ADZE_AVX2_INLINE static __m256 floats(__m128i q, __m256i zero, __m256 scale) {
    return _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_sub_epi32(_mm256_cvtepu8_epi32(q), zero)),
                         scale);
  }

  __m256i zero_a_, zero_b_, zero_;
  __m256 scale_a_, scale_b_, scale_, least_, most_, low_, high_;
};

template <class Combine>
ADZE_AVX2_INLINE void combine_vectors(const BytePairs& pairs, const Combine& combine) {
  const VectorPairs vectors(pairs);
  const auto vector_at = [](const std::uint8_t* from) ADZE_AVX2_LAMBDA {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  };
  const std::uint8_t *a = pairs.a, *b = pairs.b;
  std::uint8_t* dst = pairs.dst;
  const std::int64_t width = pairs.width, rows = pairs.rows;
  for (std::int64_t row = 0; row < rows; ++row, a += pairs.a_step, b += pairs.b_step) {
    std::int64_t i = 0;
    for (; i + 16 <= width; i += 16)
      _mm_storeu_si128(reinterpret_cast<__m128i*>(dst + i),
                       vectors.bytes(vector_at(a + i), vector_at(b + i), combine));
    if (i < width && width >= 16) {
      // Some elements once more.
      i = width - 16;
      _mm_storeu_si128(reinterpret_cast<__m128i*>(dst + i),
                       vectors.bytes(vector_at(a + i), vector_at(b + i), combine));
    } else if (i < width) {
      const auto rest = static_cast<std::size_t>(width - i);
      std::uint8_t left[16] = {}, right[16] = {};
      std::memcpy(left, a + i, rest);
      std::memcpy(right, b + i, rest);
      _mm_storeu_si128(reinterpret_cast<__m128i*>(left),
                       vectors.bytes(vector_at(left), vector_at(right), combine));
      std::memcpy(dst + i, left, rest);
    }
    dst += width;
  }
}

struct Add {
  ADZE_AVX2_INLINE __m256 operator()(__m256 x, __m256 y) const { return _mm256_add_ps(x, y); }
};
struct Multiply {
  ADZE_AVX2_INLINE __m256 operator()(__m256 x, __m256 y) const { return _mm256_mul_ps(x, y); }
};

ADZE_AVX2 void add_vectors(const BytePairs& pairs) { combine_vectors(pairs, Add()); }
ADZE_AVX2 void multiply_vectors(const BytePairs& pairs) { combine_vectors(pairs, Multiply()); }
#endif

}  // namespace

Lookup::Lookup(const Table& table)
    : table_(table), differences_(table), has_vectors_(widest_vectors() != Vectors::narrower) {
  for (std::size_t i = 0; i < table.size(); ++i)
    if (i % 128 >= 16) differences_[i] = table[i] ^ table[i - 16];
}

void Lookup::run(const std::uint8_t* src, std::int64_t count, std::uint8_t* dst) const {
  std::int64_t i = 0;
#if defined(ADZE_AVX2)
  if (has_vectors_) i = look_up_vectors(differences_, src, count, dst);
#endif
  for (; i < count; ++i) dst[i] = table_[src[i]];
}

CombineBytes combine_bytes(BinaryOperation combination, Rounding rounding) {
  static constexpr CombineBytes kHalfEven[] = {add_half_even, sub_half_even, mul_half_even,
                                               div_half_even};
  static constexpr CombineBytes kHalfUp[] = {add_half_up, sub_half_up, mul_half_up, div_half_up};
  const auto index = static_cast<std::size_t>(combination);
  if (rounding == Rounding::half_up) return kHalfUp[index];
#if defined(ADZE_AVX2)
  if (widest_vectors() != Vectors::narrower) {
    if (combination == BinaryOperation::add) return add_vectors;
    if (combination == BinaryOperation::mul) return multiply_vectors;
  }
#endif
  return kHalfEven[index];
}

}  // namespace adze::exec
