// What a recipe may set.
#pragma once

#include <adze/adze.hpp>

#include "plugins/quantization/parameters.hpp"

namespace qat {

enum {
  kMode,
  kMethod,
  kEpochs,
  kSteps,
  kSeconds,
  kBatch,
  kLearningRate,
  kOptimizer,
  kFloatShare,
  kDistillation,
  kTemperature,
  kAveraging,
  kPatience,
  kCheckpoint,
  kCheckpointSeconds,
  kZeroPoint,
  kBits,
  kLeaveFloat,
  kHeads,
  kSharedScales
};

inline constexpr const char* kModes[] = {"qat", "finetune", nullptr};
inline constexpr const char* kMethods[] = {"lsq", "minmax", nullptr};
inline constexpr const char* kOptimizers[] = {"adam", "sgd", nullptr};

inline constexpr adze_param kParams[] = {
    adze::text("mode",
               "qat: trains with rounding, the result is quantized; finetune: trains floats, "
               "pruned weights stay zero.",
               "qat", kModes),
    adze::text("method",
               "Scales: lsq learns them with the weights, minmax has them follow the ranges.",
               "lsq", kMethods),
    adze::i64("epochs", "Passes over the training samples.", 6, 0, 0),
    adze::i64("steps", "Batches to train on, instead of epochs; 0: not said.", 0, 0, 0),
    adze::f64(
        "seconds",
        "Training ends by then; 0: no limit. Where it ends depends on the machine: a run that "
        "it cuts short does not give the same bytes again.",
        0, 0, 0),
    adze::i64("batch", "Samples in a batch.", 64, 1, 65536),
    adze::f64("learning_rate", "At the start; it falls to 0 along half a cosine.", 0.001, 1e-9, 10),
    adze::text("optimizer", "adam, or sgd with momentum 0.9.", "adam", kOptimizers),
    adze::f64("float_share",
              "Share of the training before rounding starts, in which pruned weights stay zero.",
              0.5, 0, 0.95),
    adze::f64("distillation",
              "Share of the loss that imitates the model as loaded; the rest is the error against "
              "the labels. Without labels it is all.",
              0.5, 0, 1),
    adze::f64("temperature", "Flattens both outputs before they are compared.", 2, 0.1, 100),
    adze::f64(
        "averaging",
        "The running mean of the weights over about 1 / (1 - averaging) steps is judged beside "
        "the weights, and the better is kept; 0: none.",
        0.998, 0, 0.99999),
    adze::i64(
        "patience",
        "Epochs without a better held-out score after which training ends; 0: never. The best "
        "epoch is kept in any case.",
        0, 0, 0),
    adze::text("checkpoint",
               "File that keeps the state: a killed run continues from it with the same result. "
               "Relative to the working directory; empty: none.",
               ""),
    adze::f64("checkpoint_seconds", "Time between two writes of it.", 30, 0, 0),
    ptq::kZeroPointParam,
    ptq::kBitsParam,
    ptq::kLeaveFloatParam,
    ptq::kHeadsParam,
    ptq::kSharedScalesParam};

}  // namespace qat
