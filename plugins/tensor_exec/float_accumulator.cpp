// Integer sums on float hardware: every product and every partial sum is an integer of at most 24
// bits, which floats hold exactly, so that neither order nor fused multiply-add matter. Input
// channels are cut into parts that keep this bound; parts are added as integers.
#include <cstdlib>

#include "plugins/tensor_exec/integer_convolution.hpp"
#include "plugins/tensor_exec/memory.hpp"

namespace adze::exec {
namespace {

constexpr std::int64_t kExact = std::int64_t{1} << 24;

std::int64_t largest_input(const Quant8& input) {
  return std::max(input.zero_point - input.low, input.high - input.zero_point);
}

/// Sum of |weight| over one input channel of output channel `o`.
std::int64_t channel_weight(const IntegerConvolution& convolution, std::int64_t o,
                            std::int64_t channel) {
  const Geometry& g = convolution.geometry;
  const std::int64_t area = g.kernel_height * g.kernel_width;
  const std::int16_t* from = convolution.weights.data() + (o * g.group_inputs() + channel) * area;
  std::int64_t sum = 0;
  for (std::int64_t k = 0; k < area; ++k) sum += std::abs(static_cast<int>(from[k]));
  return sum;
}

/// Takes off the zero point and keeps channels [begin, end) of each group.
ADZE_MULTIVERSION
void center(const std::uint8_t* src, std::int64_t pixels, std::int64_t groups, std::int64_t inputs,
            std::int64_t begin, std::int64_t end, std::int32_t zero_point, float* dst) {
  const std::int64_t width = end - begin;
  if (width == inputs) {
    for (std::int64_t i = 0; i < pixels * groups * inputs; ++i)
      dst[i] = static_cast<float>(src[i] - zero_point);
    return;
  }
  for (std::int64_t pixel = 0; pixel < pixels * groups; ++pixel)
    for (std::int64_t i = 0; i < width; ++i)
      dst[pixel * width + i] = static_cast<float>(src[pixel * inputs + begin + i] - zero_point);
}

ADZE_MULTIVERSION
void add(const float* part, std::int64_t count, bool first, std::uint32_t* sums) {
  if (first)
    for (std::int64_t i = 0; i < count; ++i)
      sums[i] = static_cast<std::uint32_t>(static_cast<std::int32_t>(part[i]));
  else
    for (std::int64_t i = 0; i < count; ++i)
      sums[i] += static_cast<std::uint32_t>(static_cast<std::int32_t>(part[i]));
}

class FloatAccumulator final : public Accumulator {
 public:
  FloatAccumulator(const IntegerConvolution& convolution, const std::vector<std::int64_t>& ends)
      : geometry_(convolution.geometry), zero_point_(convolution.input.zero_point) {
    std::int64_t begin = 0;
    for (const std::int64_t end : ends) {
      add_part(convolution, begin, end);
      begin = end;
    }
  }

  std::size_t scratch_bytes() const override {
    return source_bytes_ + part_bytes() + primitive_bytes_;
  }
  Sums sums() const override { return parts_.size() == 1 ? Sums::float32 : Sums::int32; }

  void run(const std::uint8_t* src, std::byte* dst, std::byte* scratch,
           int threads) const override {
    const Geometry& g = geometry_;
    auto* source = reinterpret_cast<float*>(scratch);
    std::byte* sums = parts_.size() == 1 ? dst : scratch + source_bytes_;
    std::byte* primitive = scratch + source_bytes_ + part_bytes();
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      const Part& part = parts_[i];
      const std::int64_t width = part.end - part.begin;
      parallel_for(threads, g.batch * g.in_height, [&](std::int64_t begin, std::int64_t end) {
        center(src + begin * g.in_width * g.in_channels, (end - begin) * g.in_width, g.groups,
               g.group_inputs(), part.begin, part.end, zero_point_,
               source + begin * g.in_width * g.groups * width);
      });
      part.convolution->run(scratch, sums, primitive);
      if (parts_.size() > 1)
        add(reinterpret_cast<const float*>(sums), out_count(), i == 0,
            reinterpret_cast<std::uint32_t*>(dst));
    }
  }

 private:
  struct Part {
    std::int64_t begin, end;
    std::unique_ptr<DnnlConvolution> convolution;
  };

  std::int64_t out_count() const {
    return geometry_.batch * geometry_.out_pixels() * geometry_.out_channels;
  }
  std::size_t part_bytes() const {
    return parts_.size() == 1 ? 0 : aligned(static_cast<std::size_t>(out_count()) * 4);
  }

  void add_part(const IntegerConvolution& convolution, std::int64_t begin, std::int64_t end) {
    Geometry g = geometry_;
    g.in_channels = g.groups * (end - begin);
    const std::int64_t area = g.kernel_height * g.kernel_width;
    std::vector<float> weights;
    for (std::int64_t o = 0; o < g.out_channels; ++o) {
      const std::int16_t* from =
          convolution.weights.data() + (o * geometry_.group_inputs() + begin) * area;
      weights.insert(weights.end(), from, from + (end - begin) * area);
    }
    parts_.push_back({begin, end,
                      std::make_unique<DnnlConvolution>(g, DnnlConvolution::Type::floats,
                                                        std::as_bytes(std::span(weights)),
                                                        std::span<const float>(), Clamp())});
    const auto count = static_cast<std::size_t>(g.batch * g.in_pixels() * g.in_channels);
    source_bytes_ = std::max(source_bytes_, aligned(count * sizeof(float)));
    primitive_bytes_ = std::max(primitive_bytes_, parts_.back().convolution->scratch_bytes());
  }

  Geometry geometry_;
  std::int32_t zero_point_;
  std::vector<Part> parts_;
  std::size_t source_bytes_ = 0, primitive_bytes_ = 0;
};

}  // namespace

std::vector<std::int64_t> exact_float_parts(const IntegerConvolution& convolution) {
  const Geometry& g = convolution.geometry;
  const std::int64_t bound = kExact / std::max<std::int64_t>(largest_input(convolution.input), 1);
  std::vector<std::int64_t> totals(static_cast<std::size_t>(g.out_channels), 0), ends;
  for (std::int64_t channel = 0; channel < g.group_inputs(); ++channel) {
    bool fits = true;
    for (std::int64_t o = 0; o < g.out_channels; ++o) {
      const std::int64_t weight = channel_weight(convolution, o, channel);
      if (weight > bound) return {};
      fits = fits && totals[static_cast<std::size_t>(o)] + weight <= bound;
    }
    if (!fits) {
      ends.push_back(channel);
      std::fill(totals.begin(), totals.end(), 0);
    }
    for (std::int64_t o = 0; o < g.out_channels; ++o)
      totals[static_cast<std::size_t>(o)] += channel_weight(convolution, o, channel);
  }
  ends.push_back(g.group_inputs());
  return ends;
}

std::unique_ptr<Accumulator> make_float_accumulator(const IntegerConvolution& convolution) {
  const std::vector<std::int64_t> ends = exact_float_parts(convolution);
  if (ends.empty()) return nullptr;
  return std::make_unique<FloatAccumulator>(convolution, ends);
}

}  // namespace adze::exec
