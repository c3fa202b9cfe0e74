// What the integer operators of ONNX share: elements minus zero points, and results rounded back.
#pragma once

#include "plugins/tensor_exec/operator.hpp"

namespace adze::exec {

/// A list of scales or zero points: element e of the tensor belongs to entry e / inner % count.
struct ParameterList {
  std::int64_t count = 1, inner = 1;
  std::size_t index(std::int64_t element) const {
    return static_cast<std::size_t>(element / inner % count);
  }
};

/// Elements of int8 or uint8 minus their zero points (of the same type; nullptr: 0), in integers
/// that wrap around.
void subtract_zero_points(DType type, const std::byte* src, std::int64_t count,
                          const std::byte* zero_points, const ParameterList& list,
                          std::uint32_t* dst);

/// Element `index` of an integer tensor of this type.
std::int64_t integer_at(DType type, const std::byte* elements, std::int64_t index);

/// round(value) + zero_point, saturated to the type, as element `index` of `dst`. NaN becomes the
/// lowest value.
void store_rounded(DType type, float value, std::int64_t zero_point, Rounding rounding,
                   std::int64_t index, std::byte* dst);

/// Errors: Site::refuse() when the value is neither int8 nor uint8.
void expect_bytes(const Site& site, std::uint32_t value);

/// The zero point or scale at input `input`: one for all, or one for each of `channels`. Errors:
/// Site::malformed() for another number, and for a zero point of another type than `like`.
bool is_by_channel(const Site& site, std::size_t input, std::int64_t channels);
void expect_type(const Site& site, std::size_t input, DType type);

}  // namespace adze::exec
