// What a tensor on the wire or in a bundle is: everything but its bytes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "host/base/tensor.hpp"

namespace adze::hil {

struct TensorSpec {
  std::string name;
  host::DType dtype = host::DType::f32;
  host::Shape shape;             ///< with the batch
  std::int32_t batch_axis = -1;  ///< -1: it has none
  bool operator==(const TensorSpec&) const = default;
};

/// Errors: OUT_OF_RANGE when the product overflows; INVALID_ARGUMENT for strings, which do not
/// travel.
std::uint64_t size_bytes(const TensorSpec& spec);
/// By name ("float32"). Errors: INVALID_ARGUMENT.
host::DType dtype_by_name(const std::string& name);

}  // namespace adze::hil
