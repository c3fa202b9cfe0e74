// Integer sums on the CPU's int8 dot product. oneDNN pads with 0, so that a zero point other than 0
// needs the padding written out; it is then taken off all sums at once, per output channel.
#include "plugins/tensor_exec/integer_convolution.hpp"
#include "plugins/tensor_exec/memory.hpp"

namespace adze::exec {
namespace {

class DnnlAccumulator final : public Accumulator {
 public:
  explicit DnnlAccumulator(const IntegerConvolution& convolution)
      : given_(convolution.geometry),
        padded_(convolution.geometry),
        zero_point_(convolution.input.zero_point) {
    if (zero_point_ != 0 && given_.has_padding()) {
      padded_.in_height += given_.pad_top + given_.pad_bottom;
      padded_.in_width += given_.pad_left + given_.pad_right;
      padded_.pad_top = padded_.pad_left = padded_.pad_bottom = padded_.pad_right = 0;
      copy_bytes_ = aligned(
          static_cast<std::size_t>(padded_.batch * padded_.in_pixels() * padded_.in_channels));
    }
    std::vector<std::int8_t> weights;
    for (const std::int16_t weight : convolution.weights)
      weights.push_back(static_cast<std::int8_t>(weight));
    convolution_ = std::make_unique<DnnlConvolution>(padded_, DnnlConvolution::Type::integers,
                                                     std::as_bytes(std::span(weights)),
                                                     std::span<const float>(), Clamp());
    const std::int64_t depth = given_.depth();
    for (std::int64_t o = 0; o < given_.out_channels && zero_point_ != 0; ++o) {
      std::int64_t sum = 0;
      for (std::int64_t i = 0; i < depth; ++i)
        sum += convolution.weights[static_cast<std::size_t>(o * depth + i)];
      corrections_.push_back(static_cast<std::uint32_t>(sum * zero_point_));
    }
  }

  std::size_t scratch_bytes() const override { return copy_bytes_ + convolution_->scratch_bytes(); }
  Sums sums() const override { return Sums::int32; }

  void run(const std::uint8_t* src, std::byte* dst, std::byte* scratch,
           int threads) const override {
    const auto* source = reinterpret_cast<const std::byte*>(src);
    if (copy_bytes_ > 0) {
      parallel_for(threads, padded_.batch * padded_.in_height,
                   [&](std::int64_t begin, std::int64_t end) {
                     for (std::int64_t row = begin; row < end; ++row)
                       pad_row(src, row, reinterpret_cast<std::uint8_t*>(scratch));
                   });
      source = scratch;
    }
    convolution_->run(source, dst, scratch + copy_bytes_);
    if (zero_point_ == 0) return;
    auto* sums = reinterpret_cast<std::uint32_t*>(dst);
    parallel_for(threads, given_.batch * given_.out_pixels(),
                 [&](std::int64_t begin, std::int64_t end) {
                   correct(sums + begin * given_.out_channels, end - begin);
                 });
  }

 private:
  void pad_row(const std::uint8_t* src, std::int64_t row, std::uint8_t* dst) const {
    const std::int64_t width = padded_.in_width * padded_.in_channels;
    const std::int64_t image = row / padded_.in_height;
    const std::int64_t y = row % padded_.in_height - given_.pad_top;
    const auto zero = static_cast<std::uint8_t>(zero_point_);
    dst += row * width;
    if (y < 0 || y >= given_.in_height) {
      std::fill(dst, dst + width, zero);
      return;
    }
    const std::int64_t given_width = given_.in_width * given_.in_channels;
    const std::uint8_t* from = src + (image * given_.in_height + y) * given_width;
    dst = std::fill_n(dst, given_.pad_left * given_.in_channels, zero);
    dst = std::copy(from, from + given_width, dst);
    std::fill_n(dst, given_.pad_right * given_.in_channels, zero);
  }

  void correct(std::uint32_t* sums, std::int64_t pixels) const {
    const std::uint32_t* corrections = corrections_.data();
    for (std::int64_t pixel = 0; pixel < pixels; ++pixel, sums += given_.out_channels)
      for (std::int64_t c = 0; c < given_.out_channels; ++c) sums[c] -= corrections[c];
  }

  Geometry given_, padded_;
  std::int32_t zero_point_;
  std::size_t copy_bytes_ = 0;
  std::unique_ptr<DnnlConvolution> convolution_;
  std::vector<std::uint32_t> corrections_;
};

}  // namespace

std::unique_ptr<Accumulator> make_dnnl_accumulator(const IntegerConvolution& convolution) {
  for (const std::int16_t weight : convolution.weights)
    if (weight < -128 || weight > 127) return nullptr;
  return std::make_unique<DnnlAccumulator>(convolution);
}

}  // namespace adze::exec
