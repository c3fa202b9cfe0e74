// The schema of adze.quantize.ptq.
#pragma once

#include <adze/adze.hpp>

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
inline constexpr const char* kZeroPoints[] = {"auto", "symmetric", "affine", nullptr};
inline constexpr const char* kSwitch[] = {"auto", "on", "off", nullptr};
inline constexpr const char* kRoundings[] = {"auto", "nearest", "adaptive", nullptr};
inline constexpr const char* kHeadChoices[] = {"float", "int8", nullptr};
inline constexpr int kAuto = 0;  ///< of bits

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
    adze::text("zero_point",
               "Of activations: symmetric (0, or the middle when values are negative), affine, or "
               "what the board type says.",
               "auto", kZeroPoints),
    adze::i64("bits", "Of activations: 7 or 8; 0: what the board type says, or 8.", kAuto, 0, 8),
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
    adze::text("leave_float",
               "Names (or globs) of nodes, and operator types, that are not quantized.", "",
               nullptr, ADZE_PARAM_LIST),
    adze::text("heads",
               "What decodes the results of the last layers (Softmax, Sigmoid, Concat, ... with no "
               "layer behind it): float, with the layers' exact sums, or int8.",
               "float", kHeadChoices),
    adze::text("shared_scales",
               "One scale for all that an Add reads, and for all that a Concat reads and writes: "
               "on, off, or what the board type says.",
               "auto", kSwitch)};

}  // namespace ptq
