// Convolution 3x3 with stride 1 by Winograd's F(2x2, 3x3): patches of 4x4 input pixels and the
// kernels are transformed so that 16 products a channel give 4 output pixels, where the definition
// takes 36. For integers the transformed kernels are scaled by 4 to stay integers, and so are the
// sums, which are divided again: all sums are exact modulo 2^32, so that the result is exact when
// 4 times the true sum fits in 32 bits, which the weights decide.
#include <cmath>
#include <cstdlib>

#include "plugins/tensor_exec/avx2_tiles.hpp"

namespace adze::exec {

#if defined(ADZE_AVX2)
namespace {

using namespace avx2;

using Floats8 = float __attribute__((vector_size(32)));
using Integers8 = std::int32_t __attribute__((vector_size(32)));
using Shorts16 = std::int16_t __attribute__((vector_size(32)));

constexpr std::int64_t kPositions = 16;  ///< of a transformed patch

/// What differs between the arithmetics.
template <class Convolution>
struct Transform;

template <>
struct Transform<FloatConvolution> {
  using Vector = Floats8;  ///< of transformed inputs
  using Sums = Floats8;
  static constexpr std::int64_t kLanes = 8;
  static constexpr float kKernelScale = 1;  ///< of one axis
  ADZE_AVX2_INLINE static void read(const float* src, float, Floats8& x) {
    std::memcpy(&x, src, sizeof x);
  }
  ADZE_AVX2_INLINE static void descale(Floats8&) {}
  ADZE_AVX2_INLINE static __m256 lanes(const Floats8& x) { return x; }
};

template <>
struct Transform<IntegerConvolution> {
  using Vector = Shorts16;
  using Sums = Integers8;
  static constexpr std::int64_t kLanes = 16;
  static constexpr float kKernelScale = 2;
  ADZE_AVX2_INLINE static void read(const std::uint8_t* src, std::uint8_t zero, Shorts16& x) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(src));
    const __m256i words = _mm256_sub_epi16(_mm256_cvtepu8_epi16(bytes), _mm256_set1_epi16(zero));
    std::memcpy(&x, &words, sizeof x);
  }
  ADZE_AVX2_INLINE static void descale(Integers8& x) { x >>= 2; }
  ADZE_AVX2_INLINE static __m256i lanes(const Integers8& x) { return load(&x); }
};

/// One axis of a kernel, times `scale`.
void transform_kernel_axis(const float* g, std::int64_t stride, float scale, float* out,
                           std::int64_t out_stride) {
  const float half = scale / 2;
  out[0] = scale * g[0];
  out[out_stride] = half * (g[0] + g[stride] + g[2 * stride]);
  out[2 * out_stride] = half * (g[0] - g[stride] + g[2 * stride]);
  out[3 * out_stride] = scale * g[2 * stride];
}

/// `out`: kPositions elements.
void transform_kernel(const float* g, float scale, float* out) {
  float rows[12];
  for (std::int64_t column = 0; column < 3; ++column)
    transform_kernel_axis(g + column, 3, scale, rows + column, 3);
  for (std::int64_t row = 0; row < 4; ++row)
    transform_kernel_axis(rows + row * 3, 1, scale, out + row * 4, 1);
}

template <class Vector>
ADZE_AVX2_INLINE void transform_patch(Vector* d) {
  for (int i = 0; i < 4; ++i) {
    Vector* v = d + i * 4;
    const Vector a = v[0] - v[2], b = v[1] + v[2], c = v[2] - v[1], e = v[1] - v[3];
    v[0] = a, v[1] = b, v[2] = c, v[3] = e;
  }
  for (int i = 0; i < 4; ++i) {
    Vector* v = d + i;
    const Vector a = v[0] - v[8], b = v[4] + v[8], c = v[8] - v[4], e = v[4] - v[12];
    v[0] = a, v[4] = b, v[8] = c, v[12] = e;
  }
}

/// 16 sums to 4 output pixels, row by row.
template <class Sums>
ADZE_AVX2_INLINE void transform_sums(const Sums* m, Sums* out) {
  Sums rows[8];
  for (int i = 0; i < 4; ++i) {
    rows[i] = m[i] + m[4 + i] + m[8 + i];
    rows[4 + i] = m[4 + i] - m[8 + i] - m[12 + i];
  }
  for (int i = 0; i < 2; ++i) {
    const Sums* r = rows + i * 4;
    out[i * 2] = r[0] + r[1] + r[2];
    out[i * 2 + 1] = r[1] - r[2] - r[3];
  }
}

template <class Convolution>
class WinogradKernel final : public Kernel {
  using A = Arithmetic<Convolution>;
  using T = Transform<Convolution>;
  using Element = typename A::Element;
  using Sum = typename A::Sum;
  using Source = typename A::Source;

 public:
  explicit WinogradKernel(const Convolution& convolution)
      : geometry_(convolution.geometry),
        zero_(A::zero(convolution)),
        tiles_high_(divide_up(geometry_.out_height, 2)),
        tiles_wide_(divide_up(geometry_.out_width, 2)),
        panels_(divide_up(geometry_.out_channels, kColumns)),
        weights_(static_cast<std::size_t>(panels_ * panel_size()) * sizeof(Element)),
        outside_(static_cast<std::size_t>(geometry_.in_channels), zero_),
        output_(convolution) {
    const Geometry& g = geometry_;
    std::vector<float> transformed(static_cast<std::size_t>(kPositions * g.in_channels * kColumns));
    for (std::int64_t panel = 0; panel < panels_; ++panel) {
      const std::int64_t first = panel * kColumns;
      const std::int64_t columns = std::min(kColumns, g.out_channels - first);
      for (std::int64_t i = 0; i < columns * g.in_channels; ++i) {
        float kernel[9];
        const auto* from = convolution.weights.data() + (first * g.in_channels + i) * 9;
        std::copy(from, from + 9, kernel);
        transform_kernel(kernel, T::kKernelScale, transformed.data() + i * kPositions);
      }
      for (std::int64_t position = 0; position < kPositions; ++position)
        pack_panel(
            g.in_channels, 0, columns, A::kStep,
            [&](std::int64_t channel, std::int64_t column) {
              return static_cast<Element>(transformed[static_cast<std::size_t>(
                  (column * g.in_channels + channel) * kPositions + position)]);
            },
            weights() + panel * panel_size() + position * g.in_channels * kColumns);
    }
    const std::int64_t tile_bytes =
        kPositions * g.in_channels * static_cast<std::int64_t>(sizeof(Element));
    const std::int64_t all = g.batch * tiles_high_ * tiles_wide_;
    block_ =
        std::clamp<std::int64_t>(kBlockBytes / tile_bytes / kRows * kRows, 3 * kRows, kMaxBlock);
    // Blocks of about the same size.
    block_ = divide_up(divide_up(all, divide_up(all, block_)), kRows) * kRows;
  }

  void run(const Run& run) const override {
    const std::int64_t tiles = geometry_.batch * tiles_high_ * tiles_wide_;
    const std::int64_t blocks = divide_up(tiles, block_);
    const std::int64_t parts = column_parts(blocks, panels_, run.threads);
    for_chunks(run.threads, blocks * parts, [&](std::int64_t chunk) {
      const std::int64_t first = chunk / parts * block_, part = chunk % parts;
      compute(run, first, std::min(block_, tiles - first), panels_ * part / parts,
              panels_ * (part + 1) / parts);
    });
  }

 private:
  static constexpr std::int64_t kBlockBytes = 384 << 10;  ///< most of a second-level cache
  static constexpr std::int64_t kMaxBlock = 48;           ///< patches

  std::int64_t panel_size() const { return kPositions * geometry_.in_channels * kColumns; }
  Element* weights() const { return reinterpret_cast<Element*>(weights_.data()); }

  ADZE_AVX2 void compute(const Run& run, std::int64_t first, std::int64_t count, std::int64_t panel,
                         std::int64_t end) const {
    const std::int64_t channels = geometry_.in_channels;
    const std::size_t patch_bytes =
        aligned(static_cast<std::size_t>(kPositions * block_ * channels) * sizeof(Element));
    std::byte* scratch = thread_scratch(
        patch_bytes + static_cast<std::size_t>(kPositions * block_ * kColumns) * sizeof(Sum));
    auto* patches = reinterpret_cast<Element*>(scratch);
    auto* sums = reinterpret_cast<Sum*>(scratch + patch_bytes);
    const auto* src = reinterpret_cast<const Source*>(run.inputs[0]);
    const std::int64_t first_panel = panel;
    Cursor cursor(tiles_high_, tiles_wide_, first);
    for (std::int64_t i = 0; i < count; ++i, cursor.advance())
      load_patch(src, cursor, patches + i * channels, block_ * channels);
    for (; panel < end; ++panel) {
      const Element* weights_of_panel = weights() + panel * panel_size();
      for (std::int64_t position = 0; position < kPositions; ++position)
        sum_rows(patches + position * block_ * channels, channels, count,
                 weights_of_panel + position * channels * kColumns, channels,
                 sums + position * block_ * kColumns);
      const auto output = output_.panel(panel * kColumns, run);
      cursor = Cursor(tiles_high_, tiles_wide_, first);
      for (std::int64_t i = 0; i < count; ++i, cursor.advance())
        store_pixels(sums + i * kColumns, cursor, output);
    }
    if (!output_.is_followed()) return;
    cursor = Cursor(tiles_high_, tiles_wide_, first);
    for (std::int64_t i = 0; i < count; ++i, cursor.advance())
      follow_tile(run, cursor, first_panel * kColumns,
                  std::min(end * kColumns, geometry_.out_channels));
  }

  /// What comes behind channels [first, end) of up to four pixels.
  void follow_tile(const Run& run, const Cursor& tile, std::int64_t first, std::int64_t end) const {
    const Geometry& g = geometry_;
    const std::int64_t y = tile.y * 2, x = tile.x * 2;
    const std::int64_t pixels = std::min<std::int64_t>(2, g.out_width - x);
    for (std::int64_t row = y; row < std::min(y + 2, g.out_height); ++row)
      follow_pixels(output_, run, g, (tile.image * g.out_height + row) * g.out_width + x, pixels,
                    first, end);
  }

  ADZE_AVX2_INLINE void load_patch(const Source* src, const Cursor& tile, Element* dst,
                                   std::int64_t position_stride) const {
    const Geometry& g = geometry_;
    const std::int64_t y = tile.y * 2 - g.pad_top, x = tile.x * 2 - g.pad_left;
    src += tile.image * g.in_pixels() * g.in_channels;
    const Source* pixels[kPositions];
    for (std::int64_t i = 0; i < kPositions; ++i) {
      const std::int64_t row = y + i / 4, column = x + i % 4;
      const bool inside = row >= 0 && row < g.in_height && column >= 0 && column < g.in_width;
      pixels[i] = inside ? src + (row * g.in_width + column) * g.in_channels : outside_.data();
    }
    for (std::int64_t c = 0; c < g.in_channels; c += T::kLanes) {
      typename T::Vector patch[kPositions];
      for (std::int64_t i = 0; i < kPositions; ++i) T::read(pixels[i] + c, zero_, patch[i]);
      transform_patch(patch);
      for (std::int64_t i = 0; i < kPositions; ++i)
        std::memcpy(dst + i * position_stride + c, &patch[i], sizeof patch[i]);
    }
  }

  template <class Output>
  ADZE_AVX2_INLINE void store_pixels(const Sum* sums, const Cursor& tile,
                                     const Output& output) const {
    const Geometry& g = geometry_;
    const std::int64_t y = tile.y * 2, x = tile.x * 2;
    typename T::Sums halves[2][4];
    for (int side = 0; side < 2; ++side) {
      typename T::Sums m[kPositions];
      for (std::int64_t i = 0; i < kPositions; ++i)
        std::memcpy(&m[i], sums + i * block_ * kColumns + side * 8, sizeof m[i]);
      transform_sums(m, halves[side]);
      for (int i = 0; i < 4; ++i) T::descale(halves[side][i]);
    }
    const std::int64_t pixel = (tile.image * g.out_height + y) * g.out_width + x;
    for (int i = 0; i < 4; ++i)
      if (y + i / 2 < g.out_height && x + i % 2 < g.out_width)
        output.row(pixel + i / 2 * g.out_width + i % 2, T::lanes(halves[0][i]),
                   T::lanes(halves[1][i]));
  }

  Geometry geometry_;
  Source zero_;
  std::int64_t tiles_high_, tiles_wide_, panels_, block_ = kRows;
  AlignedBytes weights_;
  std::vector<Source> outside_;  ///< a pixel of the padding
  typename A::Output output_;
};

/// Infinite weights would make NaN of what the definition does not.
bool stays_exact(const FloatConvolution& convolution) {
  return std::ranges::all_of(convolution.weights, [](float w) { return std::isfinite(w); });
}

bool stays_exact(const IntegerConvolution& convolution) {
  constexpr std::int64_t kLargestSum = std::int64_t{1} << 29;
  const Quant8& input = convolution.input;
  const std::int64_t largest = std::max(input.zero_point, 255 - input.zero_point);
  const std::int64_t depth = convolution.geometry.depth();
  for (std::size_t from = 0; from < convolution.weights.size();
       from += static_cast<std::size_t>(depth)) {
    std::int64_t sum = 0;
    for (std::int64_t i = 0; i < depth; ++i)
      sum += std::abs(convolution.weights[from + static_cast<std::size_t>(i)]);
    if (sum * largest >= kLargestSum) return false;
  }
  return true;
}

}  // namespace

template <class Convolution>
std::unique_ptr<Kernel> make_avx2_winograd(const Convolution& convolution) {
  const Geometry& g = convolution.geometry;
  if (g.groups != 1 || g.kernel_height != 3 || g.kernel_width != 3 || g.stride_height != 1 ||
      g.stride_width != 1 || g.dilation_height != 1 || g.dilation_width != 1 ||
      g.in_channels % 16 != 0 || !stays_exact(convolution))
    return nullptr;
  return std::make_unique<WinogradKernel<Convolution>>(convolution);
}
#else
template <class Convolution>
std::unique_ptr<Kernel> make_avx2_winograd(const Convolution&) {
  return nullptr;
}
#endif

template std::unique_ptr<Kernel> make_avx2_winograd(const FloatConvolution&);
template std::unique_ptr<Kernel> make_avx2_winograd(const IntegerConvolution&);

}  // namespace adze::exec
