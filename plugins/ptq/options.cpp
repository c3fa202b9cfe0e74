#include "plugins/ptq/options.hpp"

#include <string_view>

#include "plugins/ptq/parameters.hpp"
#include "plugins/quantization/arithmetic.hpp"

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

}  // namespace

Options read_options(const adze_call& call) {
  require_int8(call, "leave this stage out");
  Options options;
  options.calibrator = calibrator_of(call);
  options.percentile = call.arguments[kPercentile]->f64[0];
  options.per_channel = text_of(call, kWeights) == "per_channel";
  options.zero_point = zero_point_of(call, text_of(call, kZeroPoint));
  options.bits = activation_bits(call, call.arguments[kBits]->i64[0]);
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
  options.shared_scales = shares_scales(call, text_of(call, kSharedScales));
  return options;
}

}  // namespace ptq
