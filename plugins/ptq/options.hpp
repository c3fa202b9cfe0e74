// What the parameters and the board type ask for.
#pragma once

#include <adze/adze.hpp>
#include <string>
#include <vector>

#include "plugins/quantization/grid.hpp"

namespace ptq {

enum class Calibrator { best, minmax, percentile, entropy, mse };
enum class Choice { automatic, on, off };
enum class Rounding { automatic, nearest, adaptive };

struct Options {
  Calibrator calibrator = Calibrator::best;
  double percentile = 99.99;
  bool per_channel = true;  ///< weights
  ZeroPoint zero_point = ZeroPoint::symmetric;
  int bits = 8;  ///< of activations
  Choice equalize = Choice::automatic, bias_correction = Choice::automatic;
  Rounding rounding = Rounding::automatic;
  double smooth = 0;
  std::vector<std::string> leave_float;
  bool float_heads = true;
  bool shared_scales = false;  ///< Plan::same_scale holds
};

/// Errors: adze::Error INVALID_ARGUMENT for bits other than 7 and 8, FAILED_PRECONDITION for a
/// board type that does not compute in int8.
Options read_options(const adze_call& call);

}  // namespace ptq
