// Steps that the planner puts between operators: quantize, dequantize, both in one where the
// integers cannot be held, and casts between element types.
#pragma once

#include "plugins/tensor_exec/operator.hpp"

namespace adze::exec {

std::unique_ptr<Kernel> make_quantize(std::int64_t count, const Quant8& to, Rounding rounding);
std::unique_ptr<Kernel> make_dequantize(std::int64_t count, const Quant8& from);
/// See converted() in types.hpp.
std::unique_ptr<Kernel> make_cast(DType from, DType to, std::int64_t count);
/// For more than 8 bits and for scales along an axis: floats in, floats that are multiples of the
/// scale out. `shape` in plain layout.
std::unique_ptr<Kernel> make_fake_quantize(const Shape& shape, const Quantization& to,
                                           Rounding rounding);

}  // namespace adze::exec
