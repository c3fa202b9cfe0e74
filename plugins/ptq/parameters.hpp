// The schema of adze.quantize.ptq.
#pragma once

#include <adze/adze.hpp>

#include "plugins/quantization/parameters.hpp"

namespace ptq {

/// Indices of the arguments.
enum Parameter {
  kCalibrator,
  kPercentile,
  kWeights,
  kZeroPoint,
  kBits,
  kEqualize,
  kBiasCorrection,
  kRounding,
  kSmooth,
  kLeaveFloat,
  kHeads,
  kSharedScales
};

inline constexpr const char* kCalibrators[] = {"auto",    "minmax", "percentile",
                                               "entropy", "mse",    nullptr};
inline constexpr const char* kWeightScales[] = {"per_channel", "per_tensor", nullptr};
inline constexpr const char* kRoundings[] = {"auto", "nearest", "adaptive", nullptr};

inline constexpr adze_param kParams[] = {
    adze::text("calibrator",
               "How the range of an activation follows from its histogram: minmax (all of it), "
               "percentile, entropy (least divergence), mse (least squared error), or auto: of "
               "these, for each tensor, what disturbs the layers that read it least.",
               "auto", kCalibrators),
    adze::f64("percentile", "Of the values that the range holds with calibrator = percentile.",
              99.99, 50, 100),
    adze::text("weights",
               "Scales of weights: one an output channel, or one a tensor for boards that have no "
               "more.",
               "per_channel", kWeightScales),
    kZeroPointParam,
    kBitsParam,
    adze::text("equalize",
               "Cross-layer equalization, which rescales channels between layers without a change "
               "of the float model: on, off, or auto: where it lowers the expected error.",
               "auto", kSwitch),
    adze::text("bias_correction",
               "Takes the mean error of each layer back in its bias, layer after layer on the "
               "quantized model: on, off, or auto: kept where the error of the outputs falls on "
               "held-out samples.",
               "auto", kSwitch),
    adze::text("rounding",
               "Of weights: nearest, adaptive (up or down, whichever leaves the layer's outputs "
               "closer), or auto: adaptive where rounding costs the layer most.",
               "auto", kRoundings),
    adze::f64("smooth",
              "SmoothQuant: share 0..1 of the spread between channels that moves from the inputs "
              "of a MatMul behind a normalization into its weights; 0: off.",
              0, 0, 1),
    kLeaveFloatParam,
    kHeadsParam,
    kSharedScalesParam};

}  // namespace ptq
