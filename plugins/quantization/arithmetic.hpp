// What the parameters `zero_point`, `bits` and `shared_scales` mean on a board type.
#pragma once

#include <adze/adze.hpp>
#include <cstdint>
#include <string_view>

#include "plugins/quantization/grid.hpp"

namespace ptq {

/// "symmetric", "affine", or what the board type says.
ZeroPoint zero_point_of(const adze_call& call, std::string_view said);
/// `said`, or for 0 what the board type says, or 8. Errors: adze::Error INVALID_ARGUMENT for bits
/// other than 7 and 8.
int activation_bits(const adze_call& call, std::int64_t said);
/// "on", "off", or what the board type says: what a Concat or an Add reads has one scale.
bool shares_scales(const adze_call& call, std::string_view said);
/// Errors: adze::Error FAILED_PRECONDITION, ending with `hint`, for a board type that does not
/// compute in int8.
void require_int8(const adze_call& call, const char* hint);

}  // namespace ptq
