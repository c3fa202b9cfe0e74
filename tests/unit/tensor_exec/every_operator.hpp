// Small graphs that use every operator with loops of its own, in floats and quantized, for tests
// that compare ways to compute them.
#pragma once

#include "tests/unit/tensor_exec/execute.hpp"

namespace adze::testing {

struct Example {
  std::string name;
  std::unique_ptr<GraphBuilder> builder;
  std::vector<std::vector<float>> inputs;
};

/// What computes with integers when its values are quantized: by tables, sums or comparisons.
std::vector<Example> integer_examples();
/// One of each family of loops, in floats.
std::vector<Example> float_examples();

}  // namespace adze::testing
