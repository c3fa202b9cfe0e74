#include "plugins/tensor_exec/rows.hpp"

namespace adze::exec {
namespace {

ADZE_MULTIVERSION
void quantize_half_even(const float* src, std::size_t count, const Quant8& to, std::uint8_t* dst) {
  const Quant8 copy = to;
  for (std::size_t i = 0; i < count; ++i)
    dst[i] = to_u8<Rounding::half_even>(src[i] / copy.scale, copy);
}

ADZE_MULTIVERSION
void quantize_half_up(const float* src, std::size_t count, const Quant8& to, std::uint8_t* dst) {
  const Quant8 copy = to;
  for (std::size_t i = 0; i < count; ++i)
    dst[i] = to_u8<Rounding::half_up>(src[i] / copy.scale, copy);
}

}  // namespace

ADZE_MULTIVERSION
void dequantize_row(const std::uint8_t* src, std::size_t count, const Quant8& from, float* dst) {
  const Quant8 copy = from;
  for (std::size_t i = 0; i < count; ++i) dst[i] = dequantize(src[i], copy);
}

void quantize_row(const float* src, std::size_t count, const Quant8& to, Rounding rounding,
                  std::uint8_t* dst) {
  if (rounding == Rounding::half_even)
    quantize_half_even(src, count, to, dst);
  else
    quantize_half_up(src, count, to, dst);
}

ADZE_MULTIVERSION
void clamp_row(float* row, std::size_t count, float low, float high) {
  for (std::size_t i = 0; i < count; ++i) {
    const float raised = row[i] < low ? low : row[i];
    row[i] = raised > high ? high : raised;
  }
}

}  // namespace adze::exec
