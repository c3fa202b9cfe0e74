// What the recipe asks of the training.
#pragma once

#include <adze/adze.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "plugins/qat/grids.hpp"
#include "plugins/qat/optimizer.hpp"

namespace qat {

struct Options {
  bool quantizes = true;  ///< else floats are trained and stay floats
  std::int64_t epochs = 0, steps = 0, batch = 0, patience = 0;
  double seconds = 0, learning_rate = 0, float_share = 0, distillation = 0, temperature = 1;
  double averaging = 0;
  double checkpoint_seconds = 0;
  Rule rule = Rule::adam;
  GridOptions grids;
  std::vector<std::string> leave_float;
  bool float_heads = true;
  std::string checkpoint;  ///< a file; empty: none
};

/// Errors: adze::Error INVALID_ARGUMENT; FAILED_PRECONDITION for a board type that does not compute
/// in integers.
Options read_options(const adze_call& call);

}  // namespace qat
