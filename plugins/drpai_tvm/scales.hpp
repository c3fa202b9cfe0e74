// Scales in an ONNX file with QDQ pairs: what the vendor's calibrator decided.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>

#include "plugins/tensor_exec/program.hpp"

namespace adze::drpai_tvm {

using ValueScales = std::map<std::string, exec::Quantization>;  ///< by the name of the float value

/// Of each value that goes through a QuantizeLinear, and of each constant that a DequantizeLinear
/// reads; biases (32-bit integers) are left out, for they follow from the others. Errors:
/// DATA_LOSS.
ValueScales read_scales(std::span<const std::uint8_t> model);

/// The version of ONNX's own operators that a model says it uses; 0: none. Errors: DATA_LOSS.
std::int64_t opset_of(std::span<const std::uint8_t> model);

}  // namespace adze::drpai_tvm
