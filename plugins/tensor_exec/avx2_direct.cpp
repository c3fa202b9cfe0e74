// Convolution where it is defined: tiles of output pixels read the pixels under them from the
// image, or from a copy of the rows needed that has the padding around it.
#include "plugins/tensor_exec/avx2_tiles.hpp"

namespace adze::exec {

#if defined(ADZE_AVX2)
namespace {

using namespace avx2;

/// The elements under an output pixel: `count` runs of `length` elements, each as far from the
/// first as `offsets` says. In memory, and in the same order in the weights.
struct Runs {
  const std::int64_t* offsets;
  std::int64_t count, length;
};

/// A tile of pixels, from the first product to the finished result. `pixels`: where the elements
/// under each begin.
template <bool kUsual, int... kRow>
ADZE_AVX2_INLINE void convolve_tile(RowList<kRow...>, const float* const* pixels, const Runs& runs,
                                    const float* weights, const FloatOutput::Panel& output,
                                    std::int64_t pixel) {
  __m256 left[] = {(static_cast<void>(kRow), _mm256_setzero_ps())...};
  __m256 right[] = {(static_cast<void>(kRow), _mm256_setzero_ps())...};
  const float* const from[] = {pixels[kRow]...};
  for (std::int64_t run = 0; run < runs.count; ++run) {
    std::int64_t k = runs.offsets[run];
    for (const std::int64_t end = k + runs.length; k < end; ++k, weights += kColumns) {
      const __m256 l = _mm256_loadu_ps(weights), r = _mm256_loadu_ps(weights + 8);
      __m256 x;
      ((x = _mm256_broadcast_ss(from[kRow] + k), left[kRow] = _mm256_fmadd_ps(x, l, left[kRow]),
        right[kRow] = _mm256_fmadd_ps(x, r, right[kRow])),
       ...);
    }
  }
  (output.template row<kUsual>(pixel + kRow, left[kRow], right[kRow]), ...);
}

/// The sums are known here: the compiler does not begin all rows before it ends the first, which
/// would take more registers than there are.
ADZE_AVX2_INLINE void finish_row(__m256i& left, __m256i& right) {
  asm volatile("" : "+x"(left), "+x"(right));
}

template <bool kUsual, int... kRow>
ADZE_AVX2_INLINE void convolve_tile(RowList<kRow...>, const std::int16_t* const* pixels,
                                    const Runs& runs, const std::int16_t* weights,
                                    const IntegerOutput::Panel& output, std::int64_t pixel) {
  __m256i left[] = {(static_cast<void>(kRow), _mm256_setzero_si256())...};
  __m256i right[] = {(static_cast<void>(kRow), _mm256_setzero_si256())...};
  const std::int16_t* const from[] = {pixels[kRow]...};
  for (std::int64_t run = 0; run < runs.count; ++run) {
    std::int64_t k = runs.offsets[run];
    for (const std::int64_t end = k + runs.length; k < end; k += 2, weights += 2 * kColumns) {
      const __m256i l = load(weights), r = load(weights + kColumns);
      __m256i x;
      ((x = broadcast_pair(from[kRow] + k),
        left[kRow] = _mm256_add_epi32(left[kRow], _mm256_madd_epi16(x, l)),
        right[kRow] = _mm256_add_epi32(right[kRow], _mm256_madd_epi16(x, r)),
        finish_row(left[kRow], right[kRow])),
       ...);
    }
  }
  (output.template row<kUsual>(pixel + kRow, left[kRow], right[kRow]), ...);
}

/// Not inlined: nothing else is to have registers in these loops.
template <bool kUsual, class Element, class Panel>
[[gnu::noinline]] ADZE_AVX2 void convolve_pixels(const Element* const* pixels, std::int64_t count,
                                                 const Runs& runs, const Element* weights,
                                                 const Panel& output, std::int64_t pixel) {
  for_tiles(count, [&](auto list, std::int64_t first) ADZE_AVX2_LAMBDA {
    convolve_tile<kUsual>(list, pixels + first, runs, weights, output, pixel + first);
  });
}

template <class Convolution>
class DirectKernel final : public Kernel {
  using A = Arithmetic<Convolution>;
  using Element = typename A::Element;
  using Source = typename A::Source;

 public:
  explicit DirectKernel(const Convolution& convolution)
      : geometry_(convolution.geometry),
        zero_(A::zero(convolution)),
        panels_(divide_up(geometry_.out_channels, kColumns)),
        output_(convolution) {
    const Geometry& g = geometry_;
    in_place_ = std::is_same_v<Source, Element> && !g.has_padding();
    picks_ = !in_place_ && g.kernel_height == 1 && g.kernel_width == 1;
    stride_height_ = picks_ ? 1 : g.stride_height;
    stride_width_ = picks_ ? 1 : g.stride_width;
    width_ = in_place_ ? g.in_width
             : picks_
                 ? g.out_width
                 : (g.out_width - 1) * g.stride_width + (g.kernel_width - 1) * g.dilation_width + 1;
    describe_runs();
    pack(convolution);
    choose_rows();
  }

  void run(const Run& run) const override {
    const std::int64_t rows = geometry_.batch * geometry_.out_height;
    const std::int64_t blocks = divide_up(rows, rows_);
    const std::int64_t parts = column_parts(blocks, panels_, run.threads);
    for_chunks(run.threads, blocks * parts, [&](std::int64_t chunk) {
      const std::int64_t first = chunk / parts * rows_, part = chunk % parts;
      compute(run, first, std::min(rows_, rows - first), panels_ * part / parts,
              panels_ * (part + 1) / parts);
    });
  }

 private:
  static constexpr std::int64_t kBlockBytes = 192 << 10;  ///< less than a second-level cache
  static constexpr std::int64_t kBlockPixels = 240;

  Element* weights() const { return reinterpret_cast<Element*>(weights_.data()); }

  void describe_runs() {
    const Geometry& g = geometry_;
    const bool together = g.dilation_width == 1;
    const std::int64_t taps = together ? 1 : g.kernel_width;
    length_ = g.in_channels * (together ? g.kernel_width : 1);
    for (std::int64_t row = 0; row < g.kernel_height; ++row)
      for (std::int64_t tap = 0; tap < taps; ++tap)
        offsets_.push_back((row * g.dilation_height * width_ + tap * g.dilation_width) *
                           g.in_channels);
    padded_length_ = divide_up(length_, A::kStep) * A::kStep;
    depth_ = padded_length_ * static_cast<std::int64_t>(offsets_.size());
  }

  void pack(const Convolution& convolution) {
    const Geometry& g = geometry_;
    const std::int64_t area = g.kernel_height * g.kernel_width;
    weights_ =
        AlignedBytes(static_cast<std::size_t>(panels_ * kColumns * depth_) * sizeof(Element));
    const auto at = [&](std::int64_t k, std::int64_t column) {
      const std::int64_t within = k % padded_length_;
      if (within >= length_) return Element{0};
      const std::int64_t i = k / padded_length_ * length_ + within;
      const std::int64_t tap = i / g.in_channels, channel = i % g.in_channels;
      return static_cast<Element>(
          convolution
              .weights[static_cast<std::size_t>((column * g.in_channels + channel) * area + tap)]);
    };
    for (std::int64_t panel = 0; panel < panels_; ++panel)
      pack_panel(depth_, panel * kColumns, g.out_channels, A::kStep, at,
                 weights() + panel * kColumns * depth_);
  }

  void choose_rows() {
    const Geometry& g = geometry_;
    const std::int64_t row_bytes =
        stride_height_ * width_ * g.in_channels * static_cast<std::int64_t>(sizeof(Element));
    const std::int64_t rows = g.batch * g.out_height;
    rows_ = std::min(kBlockBytes / row_bytes, kBlockPixels / g.out_width);
    rows_ = std::clamp<std::int64_t>(rows_, 1, rows);
    rows_ = divide_up(rows, divide_up(rows, rows_));  // blocks of about the same size
  }

  /// Rows of the copy that `rows` of the result need.
  std::int64_t copied_rows(std::int64_t rows) const {
    return (rows - 1) * stride_height_ +
           (picks_ ? 1 : (geometry_.kernel_height - 1) * geometry_.dilation_height + 1);
  }

  ADZE_AVX2 void compute(const Run& run, std::int64_t row, std::int64_t rows, std::int64_t panel,
                         std::int64_t end) const {
    const Geometry& g = geometry_;
    const std::int64_t count = rows * g.out_width;
    const std::size_t pointer_bytes = aligned(static_cast<std::size_t>(count) * sizeof(Element*));
    // A block of rows may lie in several images, each with rows of its own at its edges.
    const std::int64_t images =
        in_place_ ? 0 : (row + rows - 1) / g.out_height - row / g.out_height + 1;
    const std::int64_t copied = images * copied_rows(1) + rows * stride_height_;
    std::byte* scratch = thread_scratch(
        pointer_bytes +
        (in_place_ ? 0
                   : static_cast<std::size_t>(copied * width_ * g.in_channels + 2 * kVector) *
                         sizeof(Element)));
    auto** pixels = reinterpret_cast<const Element**>(scratch);
    auto* copy = reinterpret_cast<Element*>(scratch + pointer_bytes);
    const auto* src = reinterpret_cast<const Source*>(run.inputs[0]);
    for (std::int64_t at = row, to = 0; at < row + rows;) {
      const std::int64_t image = at / g.out_height, y = at % g.out_height;
      const std::int64_t here = std::min(row + rows - at, g.out_height - y);
      const Element* start = copy;
      if constexpr (std::is_same_v<Source, Element>)
        if (in_place_)
          start = src + (image * g.in_height + y * g.stride_height) * g.in_width * g.in_channels;
      if (!in_place_) copy = copy_rows(src, image, y, here, copy);
      for (std::int64_t i = 0; i < here; ++i, start += stride_height_ * width_ * g.in_channels)
        for (std::int64_t x = 0; x < g.out_width; ++x)
          pixels[to++] = start + x * stride_width_ * g.in_channels;
      at += here;
    }
    const Runs runs{offsets_.data(), static_cast<std::int64_t>(offsets_.size()), padded_length_};
    const std::int64_t first_panel = panel;
    for (; panel < end; ++panel) {
      const auto output = output_.panel(panel * kColumns, run);
      const Element* of_panel = weights() + panel * kColumns * depth_;
      if (output.is_usual())
        convolve_pixels<true>(pixels, count, runs, of_panel, output, row * g.out_width);
      else
        convolve_pixels<false>(pixels, count, runs, of_panel, output, row * g.out_width);
    }
    follow_pixels(output_, run, g, row * g.out_width, count, first_panel * kColumns,
                  std::min(end * kColumns, g.out_channels));
  }

  /// What `rows` of the result of an image need, from row `y` on. Returns the end of the copy.
  ADZE_AVX2_INLINE Element* copy_rows(const Source* src, std::int64_t image, std::int64_t y,
                                      std::int64_t rows, Element* dst) const {
    const Geometry& g = geometry_;
    const Source* const end = src + g.batch * g.in_pixels() * g.in_channels;
    src += image * g.in_pixels() * g.in_channels;
    const std::int64_t step = picks_ ? g.stride_height : 1;
    const std::int64_t first = y * g.stride_height - g.pad_top;
    const std::int64_t count = copied_rows(rows);
    for (std::int64_t i = 0; i < count; ++i, dst += width_ * g.in_channels) {
      const std::int64_t from = first + i * step;
      if (from < 0 || from >= g.in_height)
        std::fill_n(dst, width_ * g.in_channels, Element{0});
      else
        copy_row(src + from * g.in_width * g.in_channels, end, dst);
    }
    return dst;
  }

  /// Writes up to kVector elements behind the row.
  ADZE_AVX2_INLINE void copy_row(const Source* line, const Source* end, Element* dst) const {
    const Geometry& g = geometry_;
    if (picks_ && g.stride_width > 1) {
      for (std::int64_t x = 0; x < width_; ++x, dst += g.in_channels) {
        const std::int64_t from = x * g.stride_width - g.pad_left;
        if (from < 0 || from >= g.in_width)
          std::fill_n(dst, g.in_channels, Element{0});
        else
          widen<A>(line + from * g.in_channels, end, g.in_channels, zero_, dst);
      }
      return;
    }
    const std::int64_t before = std::min(g.pad_left, width_);
    const std::int64_t inside = std::clamp<std::int64_t>(width_ - before, 0, g.in_width);
    dst = std::fill_n(dst, before * g.in_channels, Element{0});
    widen<A>(line, end, inside * g.in_channels, zero_, dst);
    std::fill_n(dst + inside * g.in_channels, (width_ - before - inside) * g.in_channels,
                Element{0});
  }

  Geometry geometry_;
  Source zero_;
  bool in_place_ = false;
  bool picks_ = false;  ///< 1x1: only the pixels that are needed are copied
  std::int64_t stride_height_ = 1, stride_width_ = 1, width_ = 1;  ///< of what pixels point into
  std::vector<std::int64_t> offsets_;
  std::int64_t length_ = 0, padded_length_ = 0;  ///< of a run, and as it is multiplied
  std::int64_t depth_ = 0, panels_, rows_ = 1;
  AlignedBytes weights_;
  typename A::Output output_;
};

}  // namespace

template <class Convolution>
std::unique_ptr<Kernel> make_avx2_direct(const Convolution& convolution) {
  if (convolution.geometry.groups != 1) return nullptr;
  return std::make_unique<DirectKernel<Convolution>>(convolution);
}
#else
template <class Convolution>
std::unique_ptr<Kernel> make_avx2_direct(const Convolution&) {
  return nullptr;
}
#endif

template std::unique_ptr<Kernel> make_avx2_direct(const FloatConvolution&);
template std::unique_ptr<Kernel> make_avx2_direct(const IntegerConvolution&);

}  // namespace adze::exec
