// What follows the int32 sums of an integer convolution: bias, scale, limits, rounding.
#pragma once

#include <vector>

#include "plugins/tensor_exec/integer_convolution.hpp"

namespace adze::exec {

struct OutputStage {
  std::vector<std::int32_t> bias;  ///< by output channel
  std::vector<float> factors;      ///< by output channel
  bool quantizes = false;          ///< u8 results, otherwise floats
  Quant8 to;                       ///< with low and high narrowed to the limits
  Clamp clamp;                     ///< for float results
  Rounding rounding = Rounding::half_even;
  std::int64_t channels = 0;
  std::shared_ptr<const Lookup> lookup;  ///< of u8 results; or none
};

OutputStage make_output_stage(const IntegerConvolution& convolution);

/// Sums as integers or as floats that hold integers; `dst`: u8 or floats, as the stage says.
void finish_pixels(const OutputStage& stage, const float* sums, std::int64_t pixels,
                   std::byte* dst);
void finish_pixels(const OutputStage& stage, const std::int32_t* sums, std::int64_t pixels,
                   std::byte* dst);

}  // namespace adze::exec
