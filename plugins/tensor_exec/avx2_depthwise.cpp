// Depthwise convolution: one kernel a channel, whole vectors of channels at a time.
#include <array>

#include "plugins/tensor_exec/avx2_tiles.hpp"

namespace adze::exec {

#if defined(ADZE_AVX2)
namespace {

using namespace avx2;

/// Sums of a vector of channels over the taps. Pixels outside the image are pointers too, to one
/// that adds nothing.
template <class Convolution>
struct Taps;

template <>
struct Taps<FloatConvolution> {
  static constexpr std::int64_t kLanes = 8;
  static constexpr std::int64_t kTogether = 1;

  static void pack(const FloatConvolution& convolution, std::int64_t channel, std::int64_t taps,
                   bool, float* dst) {
    for (std::int64_t tap = 0; tap < taps; ++tap)
      for (std::int64_t lane = 0; lane < kLanes; ++lane)
        *dst++ = convolution.weights[static_cast<std::size_t>((channel + lane) * taps + tap)];
  }

  /// One pixel after the other along a row: each column of the image is read once, and adds to the
  /// three results above it.
  template <class Columns>
  ADZE_AVX2_INLINE static void roll(Columns columns, std::int64_t count, const float* weights,
                                    const FloatOutput::Panel& output, std::int64_t pixel) {
    __m256 w[9];
    for (int i = 0; i < 9; ++i) w[i] = _mm256_loadu_ps(weights + i * kLanes);
    const auto add = [&](int column, __m256 sums) ADZE_AVX2_LAMBDA {
      for (int row = 0; row < 3; ++row)
        sums = _mm256_fmadd_ps(_mm256_loadu_ps(columns.at(row)), w[row * 3 + column], sums);
      return sums;
    };
    const __m256 zero = _mm256_setzero_ps();
    __m256 next = add(0, zero);
    columns.advance();
    __m256 first = add(1, next);
    next = add(0, zero);
    columns.advance();
    for (std::int64_t i = 0; i < count; ++i, columns.advance()) {
      output.half((pixel + i) * output.channels, 0, add(2, first));
      first = add(1, next);
      next = add(0, zero);
    }
  }

  template <class Pixels>
  ADZE_AVX2_INLINE static void sum(const Pixels& pixels, std::int64_t taps, const float* weights,
                                   const FloatOutput::Panel& output, std::int64_t pixel) {
    __m256 even = _mm256_setzero_ps(), odd = even;
    std::int64_t tap = 0;
    for (; tap + 1 < taps; tap += 2, weights += 2 * kLanes) {
      even = _mm256_fmadd_ps(_mm256_loadu_ps(pixels.at(tap)), _mm256_loadu_ps(weights), even);
      odd = _mm256_fmadd_ps(_mm256_loadu_ps(pixels.at(tap + 1)), _mm256_loadu_ps(weights + kLanes),
                            odd);
    }
    if (tap < taps)
      even = _mm256_fmadd_ps(_mm256_loadu_ps(pixels.at(tap)), _mm256_loadu_ps(weights), even);
    output.half(pixel * output.channels, 0, _mm256_add_ps(even, odd));
  }
};

template <>
struct Taps<IntegerConvolution> {
  static constexpr std::int64_t kLanes = 16;
  static constexpr std::int64_t kTogether = 2;  ///< pairs of products are added

  /// Pairs of taps, their channels as _mm256_unpacklo_epi16 and unpackhi bring them together.
  /// `rolls`: the pairs that roll() multiplies.
  static void pack(const IntegerConvolution& convolution, std::int64_t channel, std::int64_t taps,
                   bool rolls, std::int16_t* dst) {
    static constexpr std::int64_t kRolling[] = {0, 3, 1, 4, 2, 5, 6, 7, -1, 8};
    for (std::int64_t pair = 0; pair < divide_up(taps, kTogether); ++pair)
      for (const std::int64_t quarter : {0, 8, 4, 12})
        for (std::int64_t lane = quarter; lane < quarter + 4; ++lane)
          for (std::int64_t i = pair * 2; i < pair * 2 + 2; ++i) {
            const std::int64_t tap = rolls ? kRolling[i] : i < taps ? i : -1;
            *dst++ =
                tap < 0
                    ? std::int16_t{0}
                    : convolution.weights[static_cast<std::size_t>((channel + lane) * taps + tap)];
          }
  }

  /// One pixel after the other along a row: each column of the image is read once. Its two upper
  /// pixels are a pair, and its lowest is one with that of the column before.
  template <class Columns>
  ADZE_AVX2_INLINE static void roll(Columns columns, std::int64_t count,
                                    const std::int16_t* weights, const IntegerOutput::Panel& output,
                                    std::int64_t pixel) {
    if (output.is_usual())
      roll<true>(columns, count, weights, output, pixel);
    else
      roll<false>(columns, count, weights, output, pixel);
  }

  struct Sums {
    __m256i low, high;
    ADZE_AVX2_INLINE Sums plus(const Sums& pairs, const std::int16_t* weights) const {
      return {_mm256_add_epi32(low, _mm256_madd_epi16(pairs.low, load(weights))),
              _mm256_add_epi32(high, _mm256_madd_epi16(pairs.high, load(weights + kLanes)))};
    }
  };

  template <bool kUsual, class Columns>
  ADZE_AVX2_INLINE static void roll(Columns& columns, std::int64_t count,
                                    const std::int16_t* weights, const IntegerOutput::Panel& output,
                                    std::int64_t pixel) {
    const std::int16_t* const upper[] = {weights, weights + 32, weights + 64};
    const std::int16_t *const lower = weights + 96, *const last = weights + 128;
    const Sums zero{_mm256_setzero_si256(), _mm256_setzero_si256()};
    __m256i before = zero.low;  // the lowest pixel of the column before
    const auto pairs = [&](Sums& above, Sums& below) ADZE_AVX2_LAMBDA {
      const __m256i a = widened(columns.at(0)), b = widened(columns.at(1));
      const __m256i c = widened(columns.at(2));
      above = {_mm256_unpacklo_epi16(a, b), _mm256_unpackhi_epi16(a, b)};
      below = {_mm256_unpacklo_epi16(before, c), _mm256_unpackhi_epi16(before, c)};
      before = c;
      columns.advance();
    };
    Sums above, below;
    pairs(above, below);
    Sums next = zero.plus(above, upper[0]);
    pairs(above, below);
    Sums first = next.plus(above, upper[1]).plus(below, lower);
    next = zero.plus(above, upper[0]);
    for (std::int64_t i = 0; i < count; ++i) {
      pairs(above, below);
      const Sums done = first.plus(above, upper[2]).plus(below, last);
      output.template row<kUsual>(pixel + i, _mm256_permute2x128_si256(done.low, done.high, 0x20),
                                  _mm256_permute2x128_si256(done.low, done.high, 0x31));
      first = next.plus(above, upper[1]).plus(below, lower);
      next = zero.plus(above, upper[0]);
    }
  }

  ADZE_AVX2_INLINE static __m256i widened(const std::uint8_t* src) {
    return _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(src)));
  }

  /// The bias takes off the zero points of all pixels.
  template <class Pixels>
  ADZE_AVX2_INLINE static void sum(const Pixels& pixels, std::int64_t taps,
                                   const std::int16_t* weights, const IntegerOutput::Panel& output,
                                   std::int64_t pixel) {
    __m256i low = _mm256_setzero_si256(), high = low;
    for (std::int64_t tap = 0; tap < taps; tap += 2, weights += 2 * kLanes) {
      const __m256i a = widened(pixels.at(tap));
      const __m256i b = tap + 1 < taps ? widened(pixels.at(tap + 1)) : _mm256_setzero_si256();
      const __m256i l = _mm256_unpacklo_epi16(a, b), h = _mm256_unpackhi_epi16(a, b);
      low = _mm256_add_epi32(low, _mm256_madd_epi16(l, load(weights)));
      high = _mm256_add_epi32(high, _mm256_madd_epi16(h, load(weights + kLanes)));
    }
    output.row(pixel, _mm256_permute2x128_si256(low, high, 0x20),
               _mm256_permute2x128_si256(low, high, 0x31));
  }
};

FloatConvolution without_zero_point(const FloatConvolution& convolution) { return convolution; }

/// Zero points of the input moved into the bias; sums wrap as everywhere.
IntegerConvolution without_zero_point(const IntegerConvolution& convolution) {
  IntegerConvolution result = convolution;
  const auto area = result.weights.size() / result.bias.size();
  for (std::size_t i = 0; i < result.weights.size(); ++i)
    result.bias[i / area] = static_cast<std::int32_t>(
        static_cast<std::uint32_t>(result.bias[i / area]) -
        static_cast<std::uint32_t>(result.input.zero_point * result.weights[i]));
  return result;
}

template <class Convolution>
class DepthwiseKernel final : public Kernel {
  using A = Arithmetic<Convolution>;
  using T = Taps<Convolution>;
  using Source = typename A::Source;
  using Element = typename A::Element;
  using Output = typename A::Output::Panel;

 public:
  explicit DepthwiseKernel(const Convolution& convolution)
      : geometry_(convolution.geometry),
        taps_(geometry_.kernel_height * geometry_.kernel_width),
        panel_size_(divide_up(taps_, T::kTogether) * T::kTogether * T::kLanes),
        weights_(
            static_cast<std::size_t>(panel_size_ * divide_up(geometry_.out_channels, T::kLanes)) *
            sizeof(Element)),
        outside_(static_cast<std::size_t>(geometry_.in_channels * geometry_.in_width),
                 A::zero(convolution)),
        output_(without_zero_point(convolution)) {
    const Geometry& g = geometry_;
    rolls_ =
        g.kernel_height == 3 && g.kernel_width == 3 && g.stride_width == 1 && g.dilation_width == 1;
    for (std::int64_t i = 0; i < divide_up(g.out_channels, T::kLanes); ++i)
      T::pack(convolution, channel_of(i), taps_, rolls_, weights_of(i));
    if (rolls_) {
      const auto pixel_bytes = 3 * g.in_channels * static_cast<std::int64_t>(sizeof(Source));
      const std::int64_t fitting = std::max(kRowsBytes / pixel_bytes, kFewestColumns);
      columns_ = divide_up(g.out_width, divide_up(g.out_width, fitting));
      const std::int64_t row_bytes = g.in_width * pixel_bytes / 3;
      if (columns_ == g.out_width)
        rows_ = std::clamp<std::int64_t>(kRowsBytes / row_bytes - 2, 1, g.out_height);
      return;
    }
    while (inner_begin_ < g.out_width && inner_begin_ * g.stride_width < g.pad_left) ++inner_begin_;
    inner_end_ = g.out_width;
    const std::int64_t reach = (g.kernel_width - 1) * g.dilation_width - g.pad_left;
    while (inner_end_ > inner_begin_ && (inner_end_ - 1) * g.stride_width + reach >= g.in_width)
      --inner_end_;
    if (g.kernel_height != 3 || g.kernel_width != 3) inner_end_ = inner_begin_;
  }

  void run(const Run& run) const override {
    parallel_for(
        run.threads, geometry_.batch * geometry_.out_height,
        [&](std::int64_t begin, std::int64_t end) {
          for (std::int64_t row = begin, count = 0; row < end; row += count) {
            count = std::min({end - row, rows_, geometry_.out_height - row % geometry_.out_height});
            if (rolls_)
              roll_rows(run, row, count);
            else
              compute_row(run, row);
            follow_pixels(output_, run, geometry_, row * geometry_.out_width,
                          count * geometry_.out_width, 0, geometry_.out_channels);
          }
        });
  }

 private:
  /// Input pixels under the taps at one place of the output.
  struct AnyPixels {
    const Source* const* pixels;
    std::int64_t channel;
    ADZE_AVX2_INLINE const Source* at(std::int64_t tap) const { return pixels[tap] + channel; }
  };
  /// The same for 3x3 inside the image's width, where the taps of a row are equally far apart.
  struct InnerPixels {
    const Source* rows[3];
    std::int64_t step;
    ADZE_AVX2_INLINE const Source* at(std::int64_t tap) const {
      return rows[tap / 3] + tap % 3 * step;
    }
  };

  /// Three rows of the image, column by column; columns beside the image are of the padding.
  class RollingColumns {
   public:
    RollingColumns(const std::array<const Source*, 3>& rows, std::int64_t column,
                   std::int64_t columns, std::int64_t step, const Source* outside)
        : column_(column), columns_(columns), step_(step), outside_(outside) {
      for (std::size_t i = 0; i < 3; ++i) rows_[i] = rows[i] + column * step;
    }
    ADZE_AVX2_INLINE const Source* at(int row) const {
      const bool inside = column_ >= 0 && column_ < columns_;
      return inside ? rows_[row] : outside_;
    }
    ADZE_AVX2_INLINE void advance() {
      ++column_;
      for (const Source*& row : rows_) row += step_;
    }

   private:
    const Source* rows_[3];
    std::int64_t column_, columns_, step_;
    const Source* outside_;
  };

  static constexpr std::int64_t kRowsBytes = 24 << 10;  ///< most of a first-level cache
  static constexpr std::int64_t kFewestColumns = 7;  ///< two more are read for each part of a row

  const Source* image_of(const Run& run, std::int64_t row) const {
    return reinterpret_cast<const Source*>(run.inputs[0]) +
           row / geometry_.out_height * geometry_.in_pixels() * geometry_.in_channels;
  }
  /// Where the kernel begins above a row of the output.
  std::int64_t top_of(std::int64_t row) const {
    return row % geometry_.out_height * geometry_.stride_height - geometry_.pad_top;
  }
  const Source* line(const Source* image, std::int64_t y) const {
    return y < 0 || y >= geometry_.in_height
               ? outside_.data()
               : image + y * geometry_.in_width * geometry_.in_channels;
  }

  /// `rows` of one image, so few that what they read stays in the first-level cache.
  ADZE_AVX2 void roll_rows(const Run& run, std::int64_t first, std::int64_t rows) const {
    const Geometry& g = geometry_;
    const Source* const image = image_of(run, first);
    for (std::int64_t x = 0; x < g.out_width; x += columns_)
      for (std::int64_t i = 0; i < divide_up(g.out_channels, T::kLanes); ++i) {
        const std::int64_t c = channel_of(i);
        const Output output = output_.panel(c, run);
        std::int64_t y = top_of(first);
        for (std::int64_t row = first; row < first + rows; ++row, y += g.stride_height) {
          const RollingColumns columns({line(image, y) + c, line(image, y + g.dilation_height) + c,
                                        line(image, y + 2 * g.dilation_height) + c},
                                       x - g.pad_left, g.in_width, g.in_channels,
                                       outside_.data() + c);
          T::roll(columns, std::min(columns_, g.out_width - x), weights_of(i), output,
                  row * g.out_width + x);
        }
      }
  }

  /// Where a vector of channels begins: the last may compute some of the one before again.
  std::int64_t channel_of(std::int64_t vector) const {
    return std::min(vector * T::kLanes, geometry_.out_channels - T::kLanes);
  }
  Element* weights_of(std::int64_t vector) const {
    return reinterpret_cast<Element*>(weights_.data()) + vector * panel_size_;
  }

  ADZE_AVX2 void compute_row(const Run& run, std::int64_t row) const {
    const Geometry& g = geometry_;
    const Source* const image = image_of(run, row);
    const std::int64_t top = top_of(row);
    const auto row_of_tap = [&](std::int64_t kernel_row) {
      return line(image, top + kernel_row * g.dilation_height);
    };
    const std::int64_t columns = g.out_width - (inner_end_ - inner_begin_);
    auto** pixels = reinterpret_cast<const Source**>(
        thread_scratch(static_cast<std::size_t>(columns * taps_) * sizeof(Source*)));
    const Source** to = pixels;
    for (std::int64_t x = 0; x < g.out_width; ++x) {
      if (x >= inner_begin_ && x < inner_end_) continue;
      for (std::int64_t i = 0; i < g.kernel_height; ++i)
        for (std::int64_t j = 0; j < g.kernel_width; ++j) {
          const std::int64_t column = x * g.stride_width - g.pad_left + j * g.dilation_width;
          *to++ = column < 0 || column >= g.in_width ? outside_.data()
                                                     : row_of_tap(i) + column * g.in_channels;
        }
    }
    const bool has_inner = inner_begin_ < inner_end_;
    const std::int64_t first = (inner_begin_ * g.stride_width - g.pad_left) * g.in_channels;
    InnerPixels inner{{}, g.dilation_width * g.in_channels};
    for (std::int64_t i = 0; i < 3 && has_inner; ++i) inner.rows[i] = row_of_tap(i) + first;
    for (std::int64_t i = 0; i < divide_up(g.out_channels, T::kLanes); ++i)
      compute_channels(run, row * g.out_width, i, pixels, inner);
  }

  /// `pixels`: of the columns that are not inner ones.
  ADZE_AVX2 void compute_channels(const Run& run, std::int64_t pixel, std::int64_t vector,
                                  const Source* const* pixels, InnerPixels inner) const {
    const Geometry& g = geometry_;
    const std::int64_t channel = channel_of(vector);
    const Output output = output_.panel(channel, run);
    for (std::int64_t x = 0; x < g.out_width; ++x) {
      if (x == inner_begin_ && x < inner_end_) x = inner_end_;
      if (x == g.out_width) break;
      T::sum(AnyPixels{pixels, channel}, taps_, weights_of(vector), output, pixel + x);
      pixels += taps_;
    }
    if (inner_begin_ == inner_end_) return;
    Element weights[16 * 10];  // a copy that no store can change
    std::copy_n(weights_of(vector), panel_size_, weights);
    for (const Source*& from : inner.rows) from += channel;
    for (std::int64_t x = inner_begin_; x < inner_end_; ++x) {
      T::sum(inner, 9, weights, output, pixel + x);
      for (const Source*& from : inner.rows) from += g.stride_width * g.in_channels;
    }
  }

  Geometry geometry_;
  std::int64_t taps_, panel_size_;
  AlignedBytes weights_;
  std::vector<Source> outside_;  ///< a row of the padding
  typename A::Output output_;
  bool rolls_ = false;                            ///< roll_rows() computes this layer
  std::int64_t columns_ = 0, rows_ = 1;           ///< that are computed together then
  std::int64_t inner_begin_ = 0, inner_end_ = 0;  ///< 3x3: columns whose taps are all inside
};

}  // namespace

template <class Convolution>
std::unique_ptr<Kernel> make_avx2_depthwise(const Convolution& convolution) {
  const Geometry& g = convolution.geometry;
  if (g.group_inputs() != 1 || g.group_outputs() != 1 || g.out_channels < Taps<Convolution>::kLanes)
    return nullptr;
  return std::make_unique<DepthwiseKernel<Convolution>>(convolution);
}
#else
template <class Convolution>
std::unique_ptr<Kernel> make_avx2_depthwise(const Convolution&) {
  return nullptr;
}
#endif

template std::unique_ptr<Kernel> make_avx2_depthwise(const FloatConvolution&);
template std::unique_ptr<Kernel> make_avx2_depthwise(const IntegerConvolution&);

}  // namespace adze::exec
