#include "plugins/qat/options.hpp"

#include <string_view>

#include "plugins/qat/parameters.hpp"
#include "plugins/quantization/arithmetic.hpp"

namespace qat {
namespace {

std::int64_t integer(const adze_call& call, int index) { return call.arguments[index]->i64[0]; }
double number(const adze_call& call, int index) { return call.arguments[index]->f64[0]; }
std::string_view word(const adze_call& call, int index) { return call.arguments[index]->text[0]; }

/// Of parameters whose schema cannot say it: a limit there would be one at both ends.
void require(bool holds, const char* what) {
  if (!holds) throw adze::Error(ADZE_INVALID_ARGUMENT, what);
}

}  // namespace

Options read_options(const adze_call& call) {
  Options options;
  options.quantizes = word(call, kMode) == "qat";
  options.epochs = integer(call, kEpochs);
  options.steps = integer(call, kSteps);
  options.seconds = number(call, kSeconds);
  options.batch = integer(call, kBatch);
  options.learning_rate = number(call, kLearningRate);
  options.rule = word(call, kOptimizer) == "adam" ? Rule::adam : Rule::sgd;
  options.float_share = options.quantizes ? number(call, kFloatShare) : 0;
  options.distillation = number(call, kDistillation);
  options.temperature = number(call, kTemperature);
  options.averaging = number(call, kAveraging);
  options.patience = integer(call, kPatience);
  options.checkpoint = word(call, kCheckpoint);
  options.checkpoint_seconds = number(call, kCheckpointSeconds);
  options.grids = {.learned = word(call, kMethod) == "lsq",
                   .zero_point = ptq::zero_point_of(call, word(call, kZeroPoint)),
                   .bits = ptq::activation_bits(call, integer(call, kBits)),
                   .shared_scales = ptq::shares_scales(call, word(call, kSharedScales))};
  const adze_property& list = *call.arguments[kLeaveFloat];
  options.leave_float.assign(list.text, list.text + list.count);
  options.float_heads = word(call, kHeads) == "float";
  require(options.epochs >= 1, "'epochs' must be at least 1");
  require(options.steps >= 0, "'steps' must not be negative");
  require(options.seconds >= 0, "'seconds' must not be negative");
  require(options.patience >= 0, "'patience' must not be negative");
  require(options.checkpoint_seconds >= 0, "'checkpoint_seconds' must not be negative");
  if (options.quantizes) ptq::require_int8(call, "set mode = \"finetune\"");
  return options;
}

}  // namespace qat
