#include "plugins/tensor_exec/integer_convolution.hpp"

#include "plugins/tensor_exec/memory.hpp"

namespace adze::exec {
namespace {

/// Everything behind the sums, by output channel.
struct OutputStage {
  std::vector<std::int32_t> bias;
  std::vector<float> factors;
  Quant8 to;    ///< with low and high narrowed to the limits
  Clamp clamp;  ///< for float results
  std::int64_t channels;
};

/// Sums come as floats or int32; adding wraps like the accumulator of the hardware.
inline std::int32_t plus(float sum, std::int32_t bias) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(static_cast<std::int32_t>(sum)) +
                                   static_cast<std::uint32_t>(bias));
}
inline std::int32_t plus(std::int32_t sum, std::int32_t bias) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(sum) +
                                   static_cast<std::uint32_t>(bias));
}

template <Rounding rounding, class Sum>
[[gnu::always_inline]] inline void quantize_pixels(const OutputStage& stage, const Sum* sums,
                                                   std::int64_t pixels, std::uint8_t* dst) {
  const std::int32_t* bias = stage.bias.data();
  const float* factors = stage.factors.data();
  const Quant8 to = stage.to;
  const std::int64_t channels = stage.channels;
  for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
    const Sum* from = sums + pixel * channels;
    std::uint8_t* q = dst + pixel * channels;
    for (std::int64_t c = 0; c < channels; ++c)
      q[c] = to_u8<rounding>(static_cast<float>(plus(from[c], bias[c])) * factors[c], to);
  }
}

template <class Sum>
[[gnu::always_inline]] inline void scale_pixels(const OutputStage& stage, const Sum* sums,
                                                std::int64_t pixels, float* dst) {
  const std::int64_t channels = stage.channels;
  const float low = stage.clamp.low, high = stage.clamp.high;
  for (std::int64_t pixel = 0; pixel < pixels; ++pixel)
    for (std::int64_t c = 0; c < channels; ++c) {
      const std::int64_t at = pixel * channels + c;
      const float x = static_cast<float>(plus(sums[at], stage.bias[static_cast<std::size_t>(c)])) *
                      stage.factors[static_cast<std::size_t>(c)];
      const float raised = x < low ? low : x;
      dst[at] = raised > high ? high : raised;
    }
}

#define ADZE_PIXELS(name, rounding, sum)                                                 \
  ADZE_MULTIVERSION void name(const OutputStage& stage, const sum* sums, std::int64_t n, \
                              std::uint8_t* dst) {                                       \
    quantize_pixels<rounding>(stage, sums, n, dst);                                      \
  }
ADZE_PIXELS(quantize_even_f32, Rounding::half_even, float)
ADZE_PIXELS(quantize_even_i32, Rounding::half_even, std::int32_t)
ADZE_PIXELS(quantize_up_f32, Rounding::half_up, float)
ADZE_PIXELS(quantize_up_i32, Rounding::half_up, std::int32_t)
#undef ADZE_PIXELS

void finish(const OutputStage& stage, Rounding rounding, const float* sums, std::int64_t pixels,
            std::uint8_t* dst) {
  rounding == Rounding::half_even ? quantize_even_f32(stage, sums, pixels, dst)
                                  : quantize_up_f32(stage, sums, pixels, dst);
}

void finish(const OutputStage& stage, Rounding rounding, const std::int32_t* sums,
            std::int64_t pixels, std::uint8_t* dst) {
  rounding == Rounding::half_even ? quantize_even_i32(stage, sums, pixels, dst)
                                  : quantize_up_i32(stage, sums, pixels, dst);
}

OutputStage make_stage(const IntegerConvolution& convolution) {
  OutputStage stage;
  stage.bias = convolution.bias;
  stage.clamp = convolution.clamp;
  stage.channels = convolution.geometry.out_channels;
  for (const float weight_scale : convolution.weight_scales) {
    const float scale = convolution.input.scale * weight_scale;
    stage.factors.push_back(convolution.output ? scale / convolution.output->scale : scale);
  }
  if (!convolution.output) return stage;
  stage.to = *convolution.output;
  // Quantizing is monotonic: limits may be put on the integers.
  const Quant8 whole = stage.to;
  const auto limit = [&](float at) {
    const float v = at / whole.scale;
    return static_cast<std::int32_t>(convolution.rounding == Rounding::half_even
                                         ? to_u8<Rounding::half_even>(v, whole)
                                         : to_u8<Rounding::half_up>(v, whole));
  };
  stage.to.low = limit(convolution.clamp.low);
  stage.to.high = limit(convolution.clamp.high);
  return stage;
}

class IntegerConvolutionKernel final : public Kernel {
 public:
  IntegerConvolutionKernel(const IntegerConvolution& convolution,
                           std::unique_ptr<Accumulator> accumulator)
      : stage_(make_stage(convolution)),
        quantized_(convolution.output.has_value()),
        rounding_(convolution.rounding),
        pixels_(convolution.geometry.batch * convolution.geometry.out_pixels()),
        accumulator_(std::move(accumulator)) {}

  std::size_t sums_bytes() const {
    return aligned(static_cast<std::size_t>(pixels_ * stage_.channels) * 4);
  }
  std::size_t scratch_bytes() const { return sums_bytes() + accumulator_->scratch_bytes(); }

  void run(const Run& run) const override {
    accumulator_->run(reinterpret_cast<const std::uint8_t*>(run.inputs[0]), run.scratch,
                      run.scratch + sums_bytes(), run.threads);
    parallel_for(run.threads, pixels_, [&](std::int64_t begin, std::int64_t end) {
      if (accumulator_->sums() == Accumulator::Sums::float32)
        part(reinterpret_cast<const float*>(run.scratch), begin, end, run.outputs[0]);
      else
        part(reinterpret_cast<const std::int32_t*>(run.scratch), begin, end, run.outputs[0]);
    });
  }

 private:
  template <class Sum>
  void part(const Sum* sums, std::int64_t begin, std::int64_t end, std::byte* dst) const {
    const std::int64_t at = begin * stage_.channels;
    if (quantized_)
      finish(stage_, rounding_, sums + at, end - begin, reinterpret_cast<std::uint8_t*>(dst) + at);
    else
      scale_pixels(stage_, sums + at, end - begin, reinterpret_cast<float*>(dst) + at);
  }

  OutputStage stage_;
  bool quantized_;
  Rounding rounding_;
  std::int64_t pixels_;
  std::unique_ptr<Accumulator> accumulator_;
};

std::unique_ptr<Accumulator> pick(const IntegerConvolution& convolution, Path path) {
  if (path != Path::plain) {
    std::unique_ptr<Accumulator> fast;
    if (integer_dot_product_is_exact()) fast = make_dnnl_accumulator(convolution);
    if (!fast) fast = make_float_accumulator(convolution);
    if (fast) return fast;
  }
  return make_plain_accumulator(convolution);
}

}  // namespace

std::unique_ptr<Kernel> make_integer_convolution(const IntegerConvolution& convolution, Path path,
                                                 std::size_t& out_scratch_bytes) {
  auto kernel = std::make_unique<IntegerConvolutionKernel>(convolution, pick(convolution, path));
  out_scratch_bytes = kernel->scratch_bytes();
  return kernel;
}

}  // namespace adze::exec
