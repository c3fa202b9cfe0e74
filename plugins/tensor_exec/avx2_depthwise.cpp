// Depthwise convolution: one kernel a channel, whole vectors of channels at a time.
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
                   float* dst) {
    for (std::int64_t tap = 0; tap < taps; ++tap)
      for (std::int64_t lane = 0; lane < kLanes; ++lane)
        *dst++ = convolution.weights[static_cast<std::size_t>((channel + lane) * taps + tap)];
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

  /// Channels as _mm256_unpacklo_epi16 and unpackhi bring them together.
  static void pack(const IntegerConvolution& convolution, std::int64_t channel, std::int64_t taps,
                   std::int16_t* dst) {
    for (std::int64_t tap = 0; tap < taps; tap += 2)
      for (const std::int64_t quarter : {0, 8, 4, 12})
        for (std::int64_t lane = quarter; lane < quarter + 4; ++lane)
          for (std::int64_t i = tap; i < tap + 2; ++i)
            *dst++ =
                i < taps
                    ? convolution.weights[static_cast<std::size_t>((channel + lane) * taps + i)]
                    : std::int16_t{0};
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
        weights_(static_cast<std::size_t>(panel_size_ * geometry_.out_channels / T::kLanes) *
                 sizeof(Element)),
        outside_(static_cast<std::size_t>(geometry_.in_channels * geometry_.in_width),
                 A::zero(convolution)),
        output_(without_zero_point(convolution)) {
    const Geometry& g = geometry_;
    for (std::int64_t c = 0; c < g.out_channels; c += T::kLanes)
      T::pack(convolution, c, taps_, weights_of(c));
    while (inner_begin_ < g.out_width && inner_begin_ * g.stride_width < g.pad_left) ++inner_begin_;
    inner_end_ = g.out_width;
    const std::int64_t reach = (g.kernel_width - 1) * g.dilation_width - g.pad_left;
    while (inner_end_ > inner_begin_ && (inner_end_ - 1) * g.stride_width + reach >= g.in_width)
      --inner_end_;
    if (g.kernel_height != 3 || g.kernel_width != 3) inner_end_ = inner_begin_;
  }

  void run(const Run& run) const override {
    parallel_for(run.threads, geometry_.batch * geometry_.out_height,
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t row = begin; row < end; ++row) compute_row(run, row);
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

  Element* weights_of(std::int64_t channel) const {
    return reinterpret_cast<Element*>(weights_.data()) + channel / T::kLanes * panel_size_;
  }

  ADZE_AVX2 void compute_row(const Run& run, std::int64_t row) const {
    const Geometry& g = geometry_;
    const std::int64_t y = row % g.out_height * g.stride_height - g.pad_top;
    const Source* image = reinterpret_cast<const Source*>(run.inputs[0]) +
                          row / g.out_height * g.in_pixels() * g.in_channels;
    const auto line = [&](std::int64_t kernel_row) {
      const std::int64_t at = y + kernel_row * g.dilation_height;
      return at < 0 || at >= g.in_height ? outside_.data()
                                         : image + at * g.in_width * g.in_channels;
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
                                                     : line(i) + column * g.in_channels;
        }
    }
    const bool has_inner = inner_begin_ < inner_end_;
    const std::int64_t first = (inner_begin_ * g.stride_width - g.pad_left) * g.in_channels;
    InnerPixels inner{{}, g.dilation_width * g.in_channels};
    for (std::int64_t i = 0; i < 3 && has_inner; ++i) inner.rows[i] = line(i) + first;
    for (std::int64_t c = 0; c < g.out_channels; c += T::kLanes)
      compute_channels(run, row * g.out_width, c, pixels, inner);
  }

  /// `pixels`: of the columns that are not inner ones.
  ADZE_AVX2 void compute_channels(const Run& run, std::int64_t pixel, std::int64_t channel,
                                  const Source* const* pixels, InnerPixels inner) const {
    const Geometry& g = geometry_;
    const Output output = output_.panel(channel, run);
    for (std::int64_t x = 0; x < g.out_width; ++x) {
      if (x == inner_begin_ && x < inner_end_) x = inner_end_;
      if (x == g.out_width) break;
      T::sum(AnyPixels{pixels, channel}, taps_, weights_of(channel), output, pixel + x);
      pixels += taps_;
    }
    if (inner_begin_ == inner_end_) return;
    Element weights[16 * 10];  // a copy that no store can change
    std::copy_n(weights_of(channel), panel_size_, weights);
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
  std::int64_t inner_begin_ = 0, inner_end_ = 0;  ///< 3x3: columns whose taps are all inside
};

}  // namespace

template <class Convolution>
std::unique_ptr<Kernel> make_avx2_depthwise(const Convolution& convolution) {
  const Geometry& g = convolution.geometry;
  if (g.group_inputs() != 1 || g.group_outputs() != 1 ||
      g.out_channels % Taps<Convolution>::kLanes != 0)
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
