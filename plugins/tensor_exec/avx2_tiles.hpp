// Tiles of sums of products, and what is done with them, for floats and for integers.
#pragma once

#include "plugins/tensor_exec/avx2.hpp"

#if defined(ADZE_AVX2)
#include <immintrin.h>

#include <utility>

#include "plugins/tensor_exec/chain.hpp"
#include "plugins/tensor_exec/memory.hpp"
#include "plugins/tensor_exec/output_stage.hpp"

namespace adze::exec::avx2 {

inline constexpr std::int64_t kRows = 6, kColumns = 16;  ///< of a tile

inline std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// Rows of a tile as numbers known to the compiler: the sums stay in registers.
template <int... kRow>
using RowList = std::integer_sequence<int, kRow...>;

/// `sums`: rows of kColumns.
template <int... kRow>
ADZE_AVX2_INLINE void sum_tile(RowList<kRow...>, const float* rows, std::int64_t stride,
                               const float* weights, std::int64_t depth, float* sums) {
  __m256 left[] = {(static_cast<void>(kRow), _mm256_setzero_ps())...};
  __m256 right[] = {(static_cast<void>(kRow), _mm256_setzero_ps())...};
  for (std::int64_t k = 0; k < depth; ++k, ++rows, weights += kColumns) {
    const __m256 l = _mm256_loadu_ps(weights), r = _mm256_loadu_ps(weights + 8);
    __m256 x;
    ((x = _mm256_broadcast_ss(rows + kRow * stride), left[kRow] = _mm256_fmadd_ps(x, l, left[kRow]),
      right[kRow] = _mm256_fmadd_ps(x, r, right[kRow])),
     ...);
  }
  ((_mm256_storeu_ps(sums + kRow * kColumns, left[kRow]),
    _mm256_storeu_ps(sums + kRow * kColumns + 8, right[kRow])),
   ...);
}

ADZE_AVX2_INLINE __m256i load(const void* vector) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(vector));
}
ADZE_AVX2_INLINE void store(void* vector, __m256i value) {
  _mm256_storeu_si256(static_cast<__m256i*>(vector), value);
}
ADZE_AVX2_INLINE __m256i broadcast_pair(const std::int16_t* pair) {
  std::int32_t both;
  std::memcpy(&both, pair, sizeof both);
  return _mm256_set1_epi32(both);
}

/// `depth` is even; weights: pairs of inputs together, see pack_panel().
template <int... kRow>
ADZE_AVX2_INLINE void sum_tile(RowList<kRow...>, const std::int16_t* rows, std::int64_t stride,
                               const std::int16_t* weights, std::int64_t depth,
                               std::int32_t* sums) {
  __m256i left[] = {(static_cast<void>(kRow), _mm256_setzero_si256())...};
  __m256i right[] = {(static_cast<void>(kRow), _mm256_setzero_si256())...};
  for (std::int64_t k = 0; k < depth; k += 2, rows += 2, weights += 2 * kColumns) {
    const __m256i l = load(weights), r = load(weights + kColumns);
    __m256i x;
    ((x = broadcast_pair(rows + kRow * stride),
      left[kRow] = _mm256_add_epi32(left[kRow], _mm256_madd_epi16(x, l)),
      right[kRow] = _mm256_add_epi32(right[kRow], _mm256_madd_epi16(x, r))),
     ...);
  }
  ((store(sums + kRow * kColumns, left[kRow]), store(sums + kRow * kColumns + 8, right[kRow])),
   ...);
}

/// Calls tile(RowList, begin) for tiles of about the same size: a small one takes as long as its
/// sums take one after the other.
template <class Tile>
ADZE_AVX2_INLINE void for_tiles(std::int64_t count, const Tile& tile) {
  const std::int64_t tiles = divide_up(count, kRows);
  for (std::int64_t i = 0, begin = 0, end = 0; i < tiles; ++i, begin = end) {
    end = count * (i + 1) / tiles;
    switch (end - begin) {
      case 6:
        tile(RowList<0, 1, 2, 3, 4, 5>(), begin);
        break;
      case 5:
        tile(RowList<0, 1, 2, 3, 4>(), begin);
        break;
      case 4:
        tile(RowList<0, 1, 2, 3>(), begin);
        break;
      case 3:
        tile(RowList<0, 1, 2>(), begin);
        break;
      case 2:
        tile(RowList<0, 1>(), begin);
        break;
      default:
        tile(RowList<0>(), begin);
    }
  }
}

/// Not inlined: nothing else is to have registers in these loops.
template <class Element, class Sum>
[[gnu::noinline]] ADZE_AVX2 void sum_rows(const Element* rows, std::int64_t stride,
                                          std::int64_t count, const Element* weights,
                                          std::int64_t depth, Sum* sums) {
  for_tiles(count, [&](auto list, std::int64_t row) ADZE_AVX2_LAMBDA {
    sum_tile(list, rows + row * stride, stride, weights, depth, sums + row * kColumns);
  });
}

/// Bias, addend and limits behind float sums.
class FloatOutput {
 public:
  explicit FloatOutput(const FloatConvolution& convolution)
      : channels_(convolution.geometry.out_channels),
        clamp_(convolution.clamp),
        with_addend_(convolution.with_addend),
        bias_(convolution.bias),
        chain_(convolution.chain) {
    // Depthwise layers also ask for panels that begin in the middle of one.
    bias_.resize(static_cast<std::size_t>((divide_up(channels_, kColumns) + 1) * kColumns));
  }

  /// Some neighbouring channels of all pixels.
  struct Panel {
    std::int64_t channels, count;  ///< of a pixel, and of them in the panel
    __m256 bias[2], low, high;
    float* dst;
    const float* addend;  ///< nullptr: none

    ADZE_AVX2_INLINE __m256 limited(__m256 x) const {
      return _mm256_min_ps(high, _mm256_max_ps(low, x));  // NaN stays NaN
    }
    bool is_usual() const { return count == kColumns; }
    /// kColumns channels of a pixel, or what there is of them. kUsual: is_usual().
    template <bool kUsual = false>
    ADZE_AVX2_INLINE void row(std::int64_t pixel, __m256 left, __m256 right) const {
      if (!kUsual && count == kColumns / 2) return half(pixel * channels, 0, left);
      if (!kUsual && count < kColumns) return part_of_row(pixel, left, right);
      half(pixel * channels, 0, left);
      half(pixel * channels + 8, 1, right);
    }
    ADZE_AVX2_INLINE void row(std::int64_t pixel, const float* sums) const {
      row(pixel, _mm256_loadu_ps(sums), _mm256_loadu_ps(sums + 8));
    }
    /// 8 channels, from element `at` on.
    ADZE_AVX2_INLINE void half(std::int64_t at, int side, __m256 sums) const {
      __m256 x = _mm256_add_ps(sums, bias[side]);
      if (addend) x = _mm256_add_ps(x, _mm256_loadu_ps(addend + at));
      _mm256_storeu_ps(dst + at, limited(x));
    }
    ADZE_AVX2_INLINE void part_of_row(std::int64_t pixel, __m256 left, __m256 right) const {
      const auto bytes = static_cast<std::size_t>(count) * sizeof(float);
      float all[kColumns] = {};
      if (addend) std::memcpy(all, addend + pixel * channels, bytes);
      left = _mm256_add_ps(_mm256_add_ps(left, bias[0]), _mm256_loadu_ps(all));
      right = _mm256_add_ps(_mm256_add_ps(right, bias[1]), _mm256_loadu_ps(all + 8));
      _mm256_storeu_ps(all, limited(left));
      _mm256_storeu_ps(all + 8, limited(right));
      std::memcpy(dst + pixel * channels, all, bytes);
    }
  };

  ADZE_AVX2_INLINE Panel panel(std::int64_t first, const Kernel::Run& run) const {
    const float* bias = bias_.data() + first;
    return {channels_,
            std::min(kColumns, channels_ - first),
            {_mm256_loadu_ps(bias), _mm256_loadu_ps(bias + 8)},
            _mm256_set1_ps(clamp_.low),
            _mm256_set1_ps(clamp_.high),
            reinterpret_cast<float*>(run.outputs[0]) + first,
            with_addend_ ? reinterpret_cast<const float*>(run.inputs[1]) + first : nullptr};
  }

  /// What comes behind `count` finished elements of the result. Uses thread_scratch().
  void follow(const Kernel::Run& run, std::int64_t at, std::int64_t count) const {
    float* dst = reinterpret_cast<float*>(run.outputs[0]) + at;
    chain_->apply(dst, dst, count);
  }
  bool is_followed() const { return chain_ != nullptr; }

 private:
  std::int64_t channels_;
  Clamp clamp_;
  bool with_addend_;
  std::vector<float> bias_;
  std::shared_ptr<const Chain> chain_;
};

/// The output stage of integer sums, with the results of finish_pixels().
class IntegerOutput {
 public:
  explicit IntegerOutput(const IntegerConvolution& convolution)
      : stage_(make_output_stage(convolution)) {
    const auto padded = static_cast<std::size_t>(divide_up(stage_.channels, kColumns) * kColumns);
    stage_.bias.resize(padded);
    stage_.factors.resize(padded);
    // No product leaves the range of int32, not even with 255 added.
    constexpr float kSmall = 0.25f;
    is_usual_ = stage_.quantizes && stage_.rounding == Rounding::half_even &&
                std::ranges::all_of(stage_.factors, [](float x) { return x <= kSmall; });
  }

  struct Panel {
    std::int64_t channels, count;
    bool usual, quantizes, half_up;
    __m256i bias[2], zero_point;
    __m256 factors[2], low, high;
    __m256i zero_words;           ///< the zero point in 16 bits
    __m128i low_byte, high_byte;  ///< limits of results
    std::byte* dst;

    bool is_usual() const { return usual; }
    /// kColumns channels of a pixel, or what there is of them. kUsual: is_usual(), which also
    /// half of them are.
    template <bool kUsual = false>
    ADZE_AVX2_INLINE void row(std::int64_t pixel, __m256i left, __m256i right) const {
      if constexpr (kUsual)
        usual_row(pixel, left, right);
      else
        any_row(pixel, left, right);
    }
    ADZE_AVX2_INLINE void row(std::int64_t pixel, const std::int32_t* sums) const {
      row(pixel, load(sums), load(sums + 8));
    }
    /// Limits are whole numbers: they may as well be put on what is rounded already.
    ADZE_AVX2_INLINE void usual_row(std::int64_t pixel, __m256i left, __m256i right) const {
      const __m256i words = _mm256_adds_epi16(
          _mm256_permute4x64_epi64(_mm256_packs_epi32(nearest(left, 0), nearest(right, 1)), 0xD8),
          zero_words);
      const __m128i bytes =
          _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
      const __m128i limited = _mm_min_epu8(high_byte, _mm_max_epu8(low_byte, bytes));
      auto* to = reinterpret_cast<__m128i*>(dst + pixel * channels);
      if (count == kColumns)
        _mm_storeu_si128(to, limited);
      else
        _mm_storel_epi64(to, limited);
    }
    ADZE_AVX2_INLINE __m256i nearest(__m256i sums, int side) const {
      return _mm256_cvtps_epi32(
          _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_add_epi32(sums, bias[side])), factors[side]));
    }
    ADZE_AVX2_INLINE void any_row(std::int64_t pixel, __m256i left, __m256i right) const {
      const __m256 l = limited(left, 0), r = limited(right, 1);
      if (quantizes) {
        const __m256i words = _mm256_permute4x64_epi64(_mm256_packus_epi32(rounded(l), rounded(r)),
                                                       0xD8);  // in order again
        const __m128i bytes =
            _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
        std::byte* to = dst + pixel * channels;
        if (count == kColumns) return _mm_storeu_si128(reinterpret_cast<__m128i*>(to), bytes);
        std::uint8_t all[kColumns];
        _mm_storeu_si128(reinterpret_cast<__m128i*>(all), bytes);
        std::memcpy(to, all, static_cast<std::size_t>(count));
        return;
      }
      float all[kColumns];
      _mm256_storeu_ps(all, l);
      _mm256_storeu_ps(all + 8, r);
      std::memcpy(reinterpret_cast<float*>(dst) + pixel * channels, all,
                  static_cast<std::size_t>(count) * sizeof(float));
    }
    ADZE_AVX2_INLINE __m256 limited(__m256i sums, int side) const {
      const __m256 v =
          _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_add_epi32(sums, bias[side])), factors[side]);
      return _mm256_min_ps(high, _mm256_max_ps(low, v));
    }
    ADZE_AVX2_INLINE __m256i rounded(__m256 v) const {
      if (half_up) {
        const __m256 nearest = _mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
        const __m256 is_half =
            _mm256_cmp_ps(_mm256_sub_ps(v, nearest), _mm256_set1_ps(0.5f), _CMP_EQ_OQ);
        v = _mm256_add_ps(nearest, _mm256_and_ps(is_half, _mm256_set1_ps(1.0f)));
      }
      return _mm256_add_epi32(_mm256_cvtps_epi32(v), zero_point);
    }
  };

  ADZE_AVX2_INLINE Panel panel(std::int64_t first, const Kernel::Run& run) const {
    const Quant8& to = stage_.to;
    const std::int32_t* bias = stage_.bias.data() + first;
    const float* factors = stage_.factors.data() + first;
    const float low = static_cast<float>(to.low - to.zero_point);
    const float high = static_cast<float>(to.high - to.zero_point);
    const std::int64_t count = std::min(kColumns, stage_.channels - first);
    return {stage_.channels,
            count,
            is_usual_ && count % (kColumns / 2) == 0,
            stage_.quantizes,
            stage_.rounding == Rounding::half_up,
            {load(bias), load(bias + 8)},
            _mm256_set1_epi32(to.zero_point),
            {_mm256_loadu_ps(factors), _mm256_loadu_ps(factors + 8)},
            _mm256_set1_ps(stage_.quantizes ? low : stage_.clamp.low),
            _mm256_set1_ps(stage_.quantizes ? high : stage_.clamp.high),
            _mm256_set1_epi16(static_cast<std::int16_t>(to.zero_point)),
            _mm_set1_epi8(static_cast<char>(to.low)),
            _mm_set1_epi8(static_cast<char>(to.high)),
            run.outputs[0] + static_cast<std::size_t>(first) * (stage_.quantizes ? 1 : 4)};
  }

  void follow(const Kernel::Run& run, std::int64_t at, std::int64_t count) const {
    auto* dst = reinterpret_cast<std::uint8_t*>(run.outputs[0]) + at;
    stage_.lookup->run(dst, count, dst);
  }
  bool is_followed() const { return stage_.lookup != nullptr; }

 private:
  OutputStage stage_;
  bool is_usual_ = false;
};

/// What comes behind channels [first, end) of neighbouring pixels of the result.
template <class Output>
void follow_pixels(const Output& output, const Kernel::Run& run, const Geometry& g,
                   std::int64_t pixel, std::int64_t pixels, std::int64_t first, std::int64_t end) {
  if (!output.is_followed()) return;
  if (first == 0 && end == g.out_channels)
    return output.follow(run, pixel * g.out_channels, pixels * g.out_channels);
  for (; pixels > 0; ++pixel, --pixels)
    output.follow(run, pixel * g.out_channels + first, end - first);
}

/// The types of one arithmetic, and how its weights and inputs are laid out.
template <class Convolution>
struct Arithmetic;

template <>
struct Arithmetic<FloatConvolution> {
  using Source = float;
  using Element = float;
  using Sum = float;
  using Output = FloatOutput;
  static constexpr std::int64_t kStep = 1;  ///< inputs that are multiplied together
  static float zero(const FloatConvolution&) { return 0; }
  ADZE_AVX2_INLINE static void widen(const float* src, std::int64_t count, float, float* dst) {
    for (std::int64_t i = 0; i < count; ++i) dst[i] = src[i];
  }
  ADZE_AVX2_INLINE static void widen_vector(const float* src, float, float* dst) {
    _mm256_storeu_ps(dst, _mm256_loadu_ps(src));
    _mm256_storeu_ps(dst + 8, _mm256_loadu_ps(src + 8));
  }
};

template <>
struct Arithmetic<IntegerConvolution> {
  using Source = std::uint8_t;
  using Element = std::int16_t;
  using Sum = std::int32_t;
  using Output = IntegerOutput;
  static constexpr std::int64_t kStep = 2;
  static std::uint8_t zero(const IntegerConvolution& convolution) {
    return static_cast<std::uint8_t>(convolution.input.zero_point);
  }
  /// Takes off the zero point.
  ADZE_AVX2_INLINE static void widen(const std::uint8_t* src, std::int64_t count, std::uint8_t zero,
                                     std::int16_t* dst) {
    for (std::int64_t i = 0; i < count; ++i) dst[i] = static_cast<std::int16_t>(src[i] - zero);
  }
  ADZE_AVX2_INLINE static void widen_vector(const std::uint8_t* src, std::uint8_t zero,
                                            std::int16_t* dst) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(src));
    store(dst, _mm256_sub_epi16(_mm256_cvtepu8_epi16(bytes), _mm256_set1_epi16(zero)));
  }
};

/// Writes a matrix of `depth` x `columns` as panels of kColumns columns: for each kStep rows, the
/// rows of one column beside each other; what is missing is 0. `at(row, column)` gives an element.
template <class Element, class At>
void pack_panel(std::int64_t depth, std::int64_t first, std::int64_t columns, std::int64_t step,
                const At& at, Element* dst) {
  for (std::int64_t k = 0; k < divide_up(depth, step) * step; k += step)
    for (std::int64_t column = first; column < first + kColumns; ++column)
      for (std::int64_t i = k; i < k + step; ++i)
        *dst++ = i < depth && column < columns ? at(i, column) : Element{0};
}

inline constexpr std::int64_t kVector = 16;  ///< elements that widen_vector() takes

/// Elements as they are multiplied. Reads and writes up to kVector - 1 elements more than `count`
/// where `end`, behind the last element of the source, leaves room.
template <class A>
ADZE_AVX2_INLINE void widen(const typename A::Source* src, const typename A::Source* end,
                            std::int64_t count, typename A::Source zero, typename A::Element* dst) {
  if (end - src < divide_up(count, kVector) * kVector) return A::widen(src, count, zero, dst);
  for (std::int64_t i = 0; i < count; i += kVector) A::widen_vector(src + i, zero, dst + i);
}

/// Walks over images of height x width places; no divisions on the way.
struct Cursor {
  std::int64_t height, width, image, y, x;
  Cursor(std::int64_t high, std::int64_t wide, std::int64_t index)
      : height(high),
        width(wide),
        image(index / (high * wide)),
        y(index / wide % high),
        x(index % wide) {}
  void advance() {
    if (++x < width) return;
    x = 0;
    if (++y < height) return;
    y = 0;
    ++image;
  }
};

/// In how many parts the columns of a layer are cut so that all threads have work.
inline std::int64_t column_parts(std::int64_t blocks, std::int64_t panels, int threads) {
  constexpr std::int64_t kChunksPerThread = 4, kMinPanels = 2;
  if (threads <= 1) return 1;
  const std::int64_t wanted = divide_up(kChunksPerThread * threads, blocks);
  return std::clamp<std::int64_t>(wanted, 1, std::max<std::int64_t>(panels / kMinPanels, 1));
}

}  // namespace adze::exec::avx2
#endif
