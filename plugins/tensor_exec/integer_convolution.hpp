// Convolution of quantized values: exact int32 sums, then what the output needs. Three
// implementations, which give the same bits:
//   plain      loops; the reference, and what simulated boards run
//   floats     oneDNN's float convolution on integers, for parts of the input channels so small
//              that no sum can leave the 24 bits in which floats are exact
//   integers   oneDNN's int8 convolution, where the CPU's dot product does not saturate
#pragma once

#include <vector>

#include "plugins/tensor_exec/bytes.hpp"
#include "plugins/tensor_exec/convolution.hpp"

namespace adze::exec {

struct IntegerConvolution {
  Geometry geometry;
  Quant8 input;
  /// Output channel, input channel of the group, row, column; zero point taken off.
  std::vector<std::int16_t> weights;
  std::vector<std::int32_t> bias;    ///< one an output channel
  std::vector<float> weight_scales;  ///< one an output channel
  std::optional<Quant8> output;      ///< nullopt: floats, sum * (input scale * weight scale)
  Clamp clamp;                       ///< on the result, before it is quantized
  Rounding rounding = Rounding::half_even;
  std::shared_ptr<const Lookup> lookup = nullptr;  ///< of the quantized result; or none
};

/// Sums without bias, for each pixel and output channel.
class Accumulator {
 public:
  enum class Sums : std::uint8_t { int32, float32 };  ///< float32: integers, exactly
  Accumulator() = default;
  Accumulator(const Accumulator&) = delete;
  Accumulator& operator=(const Accumulator&) = delete;
  virtual ~Accumulator() = default;
  virtual std::size_t scratch_bytes() const = 0;
  virtual Sums sums() const = 0;
  /// dst: batch, rows, columns, channels; 4 bytes each.
  virtual void run(const std::uint8_t* src, std::byte* dst, std::byte* scratch,
                   int threads) const = 0;
};

std::unique_ptr<Accumulator> make_plain_accumulator(const IntegerConvolution& convolution);
/// nullptr when the sums of a single input channel could leave 24 bits.
std::unique_ptr<Accumulator> make_float_accumulator(const IntegerConvolution& convolution);
/// nullptr when the weights do not fit in int8. The caller has asked
/// integer_dot_product_is_exact(), or knows that no pair of products exceeds 16 bits.
std::unique_ptr<Accumulator> make_dnnl_accumulator(const IntegerConvolution& convolution);

/// Which input channels of each group go together so that floats are exact: ends of the parts,
/// ascending; empty when there is no way.
std::vector<std::int64_t> exact_float_parts(const IntegerConvolution& convolution);

/// Picks the accumulator by `path` and puts bias, scale, limits and rounding behind it.
std::unique_ptr<Kernel> make_integer_convolution(const IntegerConvolution& convolution, Path path,
                                                 std::size_t& out_scratch_bytes);

}  // namespace adze::exec
