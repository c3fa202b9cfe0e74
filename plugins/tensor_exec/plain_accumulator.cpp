// The reference: loops that can be read. Sums wrap modulo 2^32.
#include <array>

#include "plugins/tensor_exec/integer_convolution.hpp"

namespace adze::exec {
namespace {

/// Output channels summed at once, in vector registers.
constexpr std::int64_t kBlock = 32;

struct Problem {
  Geometry geometry;
  std::int32_t zero_point;
  /// Row, column, input channel of the group, output channel.
  const std::int32_t* weights;
};

/// The input pixel under tap (row, column) of the kernel; nullptr in the padding, where all values
/// equal the zero point and add nothing.
inline const std::uint8_t* tap(const Geometry& g, const std::uint8_t* image, std::int64_t out_y,
                               std::int64_t out_x, std::int64_t row, std::int64_t column) {
  const std::int64_t y = out_y * g.stride_height - g.pad_top + row * g.dilation_height;
  const std::int64_t x = out_x * g.stride_width - g.pad_left + column * g.dilation_width;
  if (y < 0 || y >= g.in_height || x < 0 || x >= g.in_width) return nullptr;
  return image + (y * g.in_width + x) * g.in_channels;
}

ADZE_MULTIVERSION
void sum_block(const Problem& problem, const std::uint8_t* image, std::int64_t out_y,
               std::int64_t out_x, std::int64_t group, std::int64_t first, std::int64_t count,
               std::uint32_t* sums) {
  const Geometry& g = problem.geometry;
  const std::int64_t inputs = g.group_inputs();
  const auto zero_point = static_cast<std::uint32_t>(problem.zero_point);
  std::array<std::uint32_t, kBlock> block{};
  for (std::int64_t row = 0; row < g.kernel_height; ++row)
    for (std::int64_t column = 0; column < g.kernel_width; ++column) {
      const std::uint8_t* pixel = tap(g, image, out_y, out_x, row, column);
      if (!pixel) continue;
      pixel += group * inputs;
      const std::int32_t* weights =
          problem.weights + (row * g.kernel_width + column) * inputs * g.out_channels + first;
      for (std::int64_t i = 0; i < inputs; ++i, weights += g.out_channels) {
        const std::uint32_t x = pixel[i] - zero_point;
        if (count == kBlock) {
          for (std::size_t o = 0; o < kBlock; ++o)
            block[o] += x * static_cast<std::uint32_t>(weights[o]);
        } else {
          for (std::size_t o = 0; o < static_cast<std::size_t>(count); ++o)
            block[o] += x * static_cast<std::uint32_t>(weights[o]);
        }
      }
    }
  std::copy(block.begin(), block.begin() + count, sums);
}

/// One input and one output channel a group.
ADZE_MULTIVERSION
void sum_depthwise(const Problem& problem, const std::uint8_t* image, std::int64_t out_y,
                   std::int64_t out_x, std::uint32_t* sums) {
  const Geometry& g = problem.geometry;
  const auto zero_point = static_cast<std::uint32_t>(problem.zero_point);
  std::fill(sums, sums + g.out_channels, 0u);
  for (std::int64_t row = 0; row < g.kernel_height; ++row)
    for (std::int64_t column = 0; column < g.kernel_width; ++column) {
      const std::uint8_t* pixel = tap(g, image, out_y, out_x, row, column);
      if (!pixel) continue;
      const std::int32_t* weights =
          problem.weights + (row * g.kernel_width + column) * g.out_channels;
      for (std::int64_t c = 0; c < g.out_channels; ++c)
        sums[c] += (pixel[c] - zero_point) * static_cast<std::uint32_t>(weights[c]);
    }
}

class PlainAccumulator final : public Accumulator {
 public:
  explicit PlainAccumulator(const IntegerConvolution& convolution)
      : geometry_(convolution.geometry),
        zero_point_(convolution.input.zero_point),
        weights_(convolution.weights.size()) {
    const Geometry& g = geometry_;
    std::size_t at = 0;
    for (std::int64_t o = 0; o < g.out_channels; ++o)
      for (std::int64_t i = 0; i < g.group_inputs(); ++i)
        for (std::int64_t k = 0; k < g.kernel_height * g.kernel_width; ++k)
          weights_[static_cast<std::size_t>((k * g.group_inputs() + i) * g.out_channels + o)] =
              convolution.weights[at++];
  }

  std::size_t scratch_bytes() const override { return 0; }
  Sums sums() const override { return Sums::int32; }

  void run(const std::uint8_t* src, std::byte* dst, std::byte*, int threads) const override {
    auto* sums = reinterpret_cast<std::uint32_t*>(dst);
    const Geometry& g = geometry_;
    parallel_for(threads, g.batch * g.out_height, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row)
        sum_row(src + row / g.out_height * g.in_pixels() * g.in_channels, row % g.out_height,
                sums + row * g.out_width * g.out_channels);
    });
  }

 private:
  void sum_row(const std::uint8_t* image, std::int64_t y, std::uint32_t* sums) const {
    const Geometry& g = geometry_;
    const Problem problem{g, zero_point_, weights_.data()};
    const bool depthwise = g.group_inputs() == 1 && g.group_outputs() == 1;
    for (std::int64_t x = 0; x < g.out_width; ++x, sums += g.out_channels) {
      if (depthwise) {
        sum_depthwise(problem, image, y, x, sums);
        continue;
      }
      for (std::int64_t group = 0; group < g.groups; ++group) {
        const std::int64_t end = (group + 1) * g.group_outputs();
        for (std::int64_t o = end - g.group_outputs(); o < end; o += kBlock)
          sum_block(problem, image, y, x, group, o, std::min(kBlock, end - o), sums + o);
      }
    }
  }

  Geometry geometry_;
  std::int32_t zero_point_;
  std::vector<std::int32_t> weights_;
};

}  // namespace

std::unique_ptr<Accumulator> make_plain_accumulator(const IntegerConvolution& convolution) {
  return std::make_unique<PlainAccumulator>(convolution);
}

}  // namespace adze::exec
