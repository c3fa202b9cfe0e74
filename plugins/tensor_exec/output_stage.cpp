#include "plugins/tensor_exec/output_stage.hpp"

namespace adze::exec {
namespace {

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

#define ADZE_SCALE(name, sum)                                                            \
  ADZE_MULTIVERSION void name(const OutputStage& stage, const sum* sums, std::int64_t n, \
                              float* dst) {                                              \
    scale_pixels(stage, sums, n, dst);                                                   \
  }
ADZE_SCALE(scale_f32, float)
ADZE_SCALE(scale_i32, std::int32_t)
#undef ADZE_SCALE

}  // namespace

void finish_pixels(const OutputStage& stage, const float* sums, std::int64_t pixels,
                   std::byte* dst) {
  auto* integers = reinterpret_cast<std::uint8_t*>(dst);
  if (!stage.quantizes)
    scale_f32(stage, sums, pixels, reinterpret_cast<float*>(dst));
  else if (stage.rounding == Rounding::half_even)
    quantize_even_f32(stage, sums, pixels, integers);
  else
    quantize_up_f32(stage, sums, pixels, integers);
}

void finish_pixels(const OutputStage& stage, const std::int32_t* sums, std::int64_t pixels,
                   std::byte* dst) {
  auto* integers = reinterpret_cast<std::uint8_t*>(dst);
  if (!stage.quantizes)
    scale_i32(stage, sums, pixels, reinterpret_cast<float*>(dst));
  else if (stage.rounding == Rounding::half_even)
    quantize_even_i32(stage, sums, pixels, integers);
  else
    quantize_up_i32(stage, sums, pixels, integers);
}

OutputStage make_output_stage(const IntegerConvolution& convolution) {
  OutputStage stage;
  stage.bias = convolution.bias;
  stage.clamp = convolution.clamp;
  stage.channels = convolution.geometry.out_channels;
  stage.quantizes = convolution.output.has_value();
  stage.rounding = convolution.rounding;
  stage.lookup = convolution.lookup;
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

}  // namespace adze::exec
