// Sparsities by what they cost in accuracy: error curves of the layers, and the best way to a
// budget.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "plugins/reconstruct/allocation_costs.hpp"

namespace reconstruct {

/// What a layer loses when it alone is pruned so far: |W X - W0 X|^2 over |W0 X|^2.
struct ErrorPoint {
  double sparsity = 0, error = 0;
};

/// A layer's error over its sparsity, from a few points: linear in the logarithm of the error
/// between them, and never falling (a search that did better at a higher sparsity by luck does not
/// count).
class ErrorCurve {
 public:
  /// `points` in any order; dense, with error 0, is added. Errors: adze::Error INVALID_ARGUMENT for
  /// figures outside their range.
  explicit ErrorCurve(std::vector<ErrorPoint> points);
  double error(double sparsity) const;
  double highest_sparsity() const { return points_.back().sparsity; }

 private:
  std::vector<ErrorPoint> points_;  ///< ascending, from dense on
};

struct Plan {
  std::vector<double> sparsities;  ///< by layer
  double error = 0, cost = 0;
};

/// The sparsities in steps of `step`, up to the end of each curve, with the least sum of errors
/// whose cost is at most `budget`. Errors: adze::Error INVALID_ARGUMENT naming what can be reached.
Plan plan_by_error(std::span<const ErrorCurve> curves, const Costs& costs, double budget,
                   double step = 0.01);

}  // namespace reconstruct
