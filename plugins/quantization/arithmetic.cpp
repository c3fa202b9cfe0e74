#include "plugins/quantization/arithmetic.hpp"

#include <string>

namespace ptq {
namespace {

bool has_flag(const adze_call& call, const char* name) {
  const adze_property* fact = adze::fact(call.target, name);
  return fact && fact->i64 && fact->i64[0] != 0;
}

}  // namespace

ZeroPoint zero_point_of(const adze_call& call, std::string_view said) {
  const bool affine = said == "auto" ? has_flag(call, "arithmetic.zero_point") : said == "affine";
  return affine ? ZeroPoint::affine : ZeroPoint::symmetric;
}

int activation_bits(const adze_call& call, std::int64_t said) {
  std::int64_t bits = said;
  if (bits == 0) {
    const adze_property* fact = adze::fact(call.target, "arithmetic.activation_bits");
    bits = fact && fact->i64 ? fact->i64[0] : 8;
  }
  if (bits != 7 && bits != 8)
    throw adze::Error(ADZE_INVALID_ARGUMENT,
                      "bits is " + std::to_string(bits) + ", but must be 7 or 8");
  return static_cast<int>(bits);
}

bool shares_scales(const adze_call& call, std::string_view said) {
  return said == "auto" ? has_flag(call, "arithmetic.shared_scales") : said == "on";
}

void require_int8(const adze_call& call, const char* hint) {
  const adze_property* format = adze::fact(call.target, "number_format");
  if (format && format->text && std::string_view(format->text[0]) != "int8")
    throw adze::Error(ADZE_FAILED_PRECONDITION,
                      "board type '" + std::string(call.target->board_type) + "' computes in " +
                          format->text[0] + ", not in int8: " + hint);
}

}  // namespace ptq
