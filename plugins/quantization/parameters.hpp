// Parameters that all our quantizers have: a schema takes them where it wants them.
#pragma once

#include <adze/adze.hpp>

namespace ptq {

inline constexpr const char* kZeroPoints[] = {"auto", "symmetric", "affine", nullptr};
inline constexpr const char* kHeadChoices[] = {"float", "int8", nullptr};
inline constexpr const char* kSwitch[] = {"auto", "on", "off", nullptr};

inline constexpr adze_param kZeroPointParam =
    adze::text("zero_point",
               "Of activations: symmetric (0, or the middle when values are negative), affine, or "
               "what the board type says.",
               "auto", kZeroPoints);
inline constexpr adze_param kBitsParam =
    adze::i64("bits", "Of activations: 7 or 8; 0: what the board type says, or 8.", 0, 0, 8);
inline constexpr adze_param kLeaveFloatParam = adze::text(
    "leave_float", "Names (or globs) of nodes, and operator types, that are not quantized.", "",
    nullptr, ADZE_PARAM_LIST);
inline constexpr adze_param kHeadsParam =
    adze::text("heads",
               "What decodes the results of the last layers (Softmax, Sigmoid, Concat, ... with no "
               "layer behind it): float, with the layers' exact sums, or int8.",
               "float", kHeadChoices);
inline constexpr adze_param kSharedScalesParam =
    adze::text("shared_scales",
               "One scale for all that an Add reads, and for all that a Concat reads and writes: "
               "on, off, or what the board type says.",
               "auto", kSwitch);

}  // namespace ptq
