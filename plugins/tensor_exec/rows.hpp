// Loops over contiguous elements, compiled for several instruction sets.
#pragma once

#include <cstddef>
#include <cstdint>

#include "plugins/tensor_exec/arithmetic.hpp"

namespace adze::exec {

void dequantize_row(const std::uint8_t* src, std::size_t count, const Quant8& from, float* dst);
void quantize_row(const float* src, std::size_t count, const Quant8& to, Rounding rounding,
                  std::uint8_t* dst);
void clamp_row(float* row, std::size_t count, float low, float high);

}  // namespace adze::exec
