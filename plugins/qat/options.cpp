#include "plugins/qat/options.hpp"

#include <string_view>

#include "plugins/qat/parameters.hpp"

namespace qat {
namespace {

std::int64_t integer(const adze_call& call, int index) { return call.arguments[index]->i64[0]; }
double number(const adze_call& call, int index) { return call.arguments[index]->f64[0]; }
std::string_view word(const adze_call& call, int index) { return call.arguments[index]->text[0]; }

/// Of parameters whose schema cannot say it: a limit there would be one at both ends.
void require(bool holds, const char* what) {
  if (!holds) throw adze::Error(ADZE_INVALID_ARGUMENT, what);
}

ptq::ZeroPoint zero_point_of(const adze_call& call) {
  if (word(call, kZeroPoint) == "affine") return ptq::ZeroPoint::affine;
  const adze_property* fact = adze::fact(call.target, "arithmetic.zero_point");
  const bool board_has = fact && fact->i64 && fact->i64[0];
  return board_has && word(call, kZeroPoint) == "auto" ? ptq::ZeroPoint::affine
                                                       : ptq::ZeroPoint::symmetric;
}

int bits_of(const adze_call& call) {
  std::int64_t bits = integer(call, kBits);
  if (bits == kAutoBits) {
    const adze_property* fact = adze::fact(call.target, "arithmetic.activation_bits");
    bits = fact && fact->i64 ? fact->i64[0] : 8;
  }
  if (bits != 7 && bits != 8)
    throw adze::Error(ADZE_INVALID_ARGUMENT,
                      "bits is " + std::to_string(bits) + ", but must be 7 or 8");
  return static_cast<int>(bits);
}

}  // namespace

Options read_options(const adze_call& call) {
  Options options;
  options.quantizes = word(call, kMode) == "qat";
  options.learned = word(call, kMethod) == "lsq";
  options.epochs = integer(call, kEpochs);
  options.steps = integer(call, kSteps);
  options.seconds = number(call, kSeconds);
  options.batch = integer(call, kBatch);
  options.learning_rate = number(call, kLearningRate);
  options.rule = word(call, kOptimizer) == "adam" ? Rule::adam : Rule::sgd;
  options.float_share = options.quantizes ? number(call, kFloatShare) : 0;
  options.distillation = number(call, kDistillation);
  options.temperature = number(call, kTemperature);
  options.patience = integer(call, kPatience);
  options.checkpoint = word(call, kCheckpoint);
  options.checkpoint_seconds = number(call, kCheckpointSeconds);
  options.zero_point = zero_point_of(call);
  options.bits = bits_of(call);
  require(options.epochs >= 1, "'epochs' must be at least 1");
  require(options.steps >= 0, "'steps' must not be negative");
  require(options.seconds >= 0, "'seconds' must not be negative");
  require(options.patience >= 0, "'patience' must not be negative");
  require(options.checkpoint_seconds >= 0, "'checkpoint_seconds' must not be negative");
  const adze_property* format = adze::fact(call.target, "number_format");
  if (options.quantizes && format && format->text && std::string_view(format->text[0]) != "int8")
    throw adze::Error(ADZE_FAILED_PRECONDITION,
                      "board type '" + std::string(call.target->board_type) + "' computes in " +
                          format->text[0] + ", not in int8: set mode = \"finetune\"");
  return options;
}

}  // namespace qat
