#include "plugins/ptq/options.hpp"

#include <string_view>

#include "plugins/ptq/parameters.hpp"

namespace ptq {
namespace {

std::string_view text_of(const adze_call& call, int index) {
  return call.arguments[index]->text[0];
}

Choice choice_of(const adze_call& call, int index) {
  const std::string_view said = text_of(call, index);
  return said == "on" ? Choice::on : said == "off" ? Choice::off : Choice::automatic;
}

Calibrator calibrator_of(const adze_call& call) {
  const std::string_view said = text_of(call, kCalibrator);
  return said == "minmax"       ? Calibrator::minmax
         : said == "percentile" ? Calibrator::percentile
         : said == "entropy"    ? Calibrator::entropy
         : said == "mse"        ? Calibrator::mse
                                : Calibrator::best;
}

ZeroPoint zero_point_of(const adze_call& call) {
  const std::string_view said = text_of(call, kZeroPoint);
  if (said != "auto") return said == "affine" ? ZeroPoint::affine : ZeroPoint::symmetric;
  const adze_property* affine = adze::fact(call.target, "arithmetic.zero_point");
  return affine && affine->i64 && affine->i64[0] ? ZeroPoint::affine : ZeroPoint::symmetric;
}

int bits_of(const adze_call& call) {
  std::int64_t bits = call.arguments[kBits]->i64[0];
  if (bits == kAuto) {
    const adze_property* known = adze::fact(call.target, "arithmetic.activation_bits");
    bits = known && known->i64 ? known->i64[0] : 8;
  }
  if (bits != 7 && bits != 8)
    throw adze::Error(ADZE_INVALID_ARGUMENT,
                      "bits is " + std::to_string(bits) + ", but must be 7 or 8");
  return static_cast<int>(bits);
}

void check_number_format(const adze_call& call) {
  const adze_property* format = adze::fact(call.target, "number_format");
  if (format && format->text && std::string_view(format->text[0]) != "int8")
    throw adze::Error(ADZE_FAILED_PRECONDITION,
                      "board type '" + std::string(call.target->board_type) + "' computes in " +
                          format->text[0] + ", not in int8: leave this stage out");
}

}  // namespace

Options read_options(const adze_call& call) {
  check_number_format(call);
  Options options;
  options.calibrator = calibrator_of(call);
  options.percentile = call.arguments[kPercentile]->f64[0];
  options.per_channel = text_of(call, kWeights) == "per_channel";
  options.zero_point = zero_point_of(call);
  options.bits = bits_of(call);
  options.equalize = choice_of(call, kEqualize);
  options.bias_correction = choice_of(call, kBiasCorrection);
  const std::string_view rounding = text_of(call, kRounding);
  options.rounding = rounding == "nearest"    ? Rounding::nearest
                     : rounding == "adaptive" ? Rounding::adaptive
                                              : Rounding::automatic;
  options.smooth = call.arguments[kSmooth]->f64[0];
  const adze_property& list = *call.arguments[kLeaveFloat];
  options.leave_float.assign(list.text, list.text + list.count);
  options.float_heads = text_of(call, kHeads) == "float";
  return options;
}

}  // namespace ptq
