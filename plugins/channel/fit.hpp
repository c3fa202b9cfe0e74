// Least squares for what is left of a layer.
#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <vector>

#include "plugins/channel/selection.hpp"

namespace channel {

/// Two parts of the samples together, `share` of them in `a`.
pruning::RefitProblem merge(const pruning::RefitProblem& a, const pruning::RefitProblem& b,
                            double share);

struct Remains {
  std::vector<std::uint8_t> columns, rows;  ///< 0: left
  MaskMatrix keep;                          ///< of earlier stages; 0x0: none
  bool moves_bias = true;
};

/// The weights on what remains that minimize mean (v [x; 1] - y)^2 + l |v - v0|^2, with v0 their
/// row of `current` and l `damping` times the mean power of the inputs that remain; the bias is not
/// held back. Errors: adze::Error FAILED_PRECONDITION when the equations have no single solution.
RowMatrix fit(const pruning::RefitProblem& problem, const RowMatrix& current,
              const Remains& remains, double damping, const pruning::ForEach& for_each);

/// Mean (v [x; 1] - y)^2 - y^2, summed over the outputs that remain: less is better.
double loss(const pruning::RefitProblem& problem, const RowMatrix& weight, const Remains& remains);

}  // namespace channel
