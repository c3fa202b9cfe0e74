// Convolution as a product of two matrices: the input pixels under each output pixel, written side
// by side block after block, times the weights.
#include "plugins/tensor_exec/avx2_tiles.hpp"

namespace adze::exec {

#if defined(ADZE_AVX2)
namespace {

using namespace avx2;

template <class Convolution>
class DirectKernel final : public Kernel {
  using A = Arithmetic<Convolution>;
  using Element = typename A::Element;

 public:
  explicit DirectKernel(const Convolution& convolution)
      : geometry_(convolution.geometry),
        zero_(A::zero(convolution)),
        depth_(divide_up(geometry_.depth(), A::kStep) * A::kStep),
        panels_(divide_up(geometry_.out_channels, kColumns)),
        weights_(static_cast<std::size_t>(panels_ * kColumns * depth_) * sizeof(Element)),
        output_(convolution) {
    const Geometry& g = geometry_;
    const std::int64_t area = g.kernel_height * g.kernel_width;
    const auto at = [&](std::int64_t k, std::int64_t column) {
      const std::int64_t tap = k / g.in_channels, channel = k % g.in_channels;
      return convolution
          .weights[static_cast<std::size_t>((column * g.in_channels + channel) * area + tap)];
    };
    for (std::int64_t panel = 0; panel < panels_; ++panel)
      pack_panel(g.depth(), panel * kColumns, g.out_channels, A::kStep, at,
                 weights() + panel * kColumns * depth_);
    block_ = std::clamp<std::int64_t>(
        kBlockBytes / (depth_ * static_cast<std::int64_t>(sizeof(Element))) / kRows * kRows, kRows,
        kMaxBlock);
    in_place_ = std::is_same_v<typename A::Source, Element> && area == 1 && g.stride_height == 1 &&
                g.stride_width == 1 && !g.has_padding();
  }

  void run(const Run& run) const override {
    const std::int64_t pixels = geometry_.batch * geometry_.out_pixels();
    const std::int64_t blocks = divide_up(pixels, block_);
    const std::int64_t parts = column_parts(blocks, panels_, run.threads);
    for_chunks(run.threads, blocks * parts, [&](std::int64_t chunk) {
      const std::int64_t first = chunk / parts * block_, part = chunk % parts;
      multiply(run, first, std::min(block_, pixels - first), panels_ * part / parts,
               panels_ * (part + 1) / parts);
    });
  }

 private:
  static constexpr std::int64_t kBlockBytes = 256 << 10;  ///< half of a second-level cache
  static constexpr std::int64_t kMaxBlock = 96;           ///< pixels

  Element* weights() const { return reinterpret_cast<Element*>(weights_.data()); }

  ADZE_AVX2 void multiply(const Run& run, std::int64_t pixel, std::int64_t count,
                          std::int64_t panel, std::int64_t end) const {
    const auto* src = reinterpret_cast<const typename A::Source*>(run.inputs[0]);
    const Element* rows;
    if (in_place_) {
      rows = reinterpret_cast<const Element*>(src) + pixel * depth_;
    } else {
      auto* packed = reinterpret_cast<Element*>(
          thread_scratch(static_cast<std::size_t>(block_ * depth_ + kVector) * sizeof(Element)));
      Cursor cursor(geometry_.out_height, geometry_.out_width, pixel);
      for (std::int64_t i = 0; i < count; ++i, cursor.advance())
        pack_pixel(src, cursor, packed + i * depth_);
      rows = packed;
    }
    typename A::Sum sums[kMaxBlock * kColumns];
    for (; panel < end; ++panel) {
      sum_rows(rows, depth_, count, weights() + panel * kColumns * depth_, depth_, sums);
      const auto output = output_.panel(panel * kColumns, run);
      for (std::int64_t i = 0; i < count; ++i) output.row(pixel + i, sums + i * kColumns);
    }
  }

  ADZE_AVX2_INLINE void pack_pixel(const typename A::Source* src, const Cursor& out,
                                   Element* dst) const {
    const Geometry& g = geometry_;
    const typename A::Source* const source_end = src + g.batch * g.in_pixels() * g.in_channels;
    src += out.image * g.in_pixels() * g.in_channels;
    Element* const end = dst + depth_;
    const std::int64_t left = out.x * g.stride_width - g.pad_left;
    // Neighbouring pixels are neighbours in memory.
    const bool together = g.dilation_width == 1 && left >= 0 && left + g.kernel_width <= g.in_width;
    for (std::int64_t row = 0; row < g.kernel_height; ++row) {
      const std::int64_t y = out.y * g.stride_height - g.pad_top + row * g.dilation_height;
      if (y < 0 || y >= g.in_height) {
        dst = std::fill_n(dst, g.kernel_width * g.in_channels, Element{0});
        continue;
      }
      const typename A::Source* line = src + y * g.in_width * g.in_channels;
      if (together) {
        widen<A>(line + left * g.in_channels, source_end, g.kernel_width * g.in_channels, zero_,
                 dst);
        dst += g.kernel_width * g.in_channels;
        continue;
      }
      for (std::int64_t column = 0; column < g.kernel_width; ++column, dst += g.in_channels) {
        const std::int64_t x = left + column * g.dilation_width;
        if (x < 0 || x >= g.in_width)
          std::fill_n(dst, g.in_channels, Element{0});
        else
          widen<A>(line + x * g.in_channels, source_end, g.in_channels, zero_, dst);
      }
    }
    std::fill(dst, end, Element{0});
  }

  Geometry geometry_;
  typename A::Source zero_;
  std::int64_t depth_, panels_, block_ = kRows;
  bool in_place_ = false;
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
