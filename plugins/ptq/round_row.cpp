#include "plugins/ptq/round_row.hpp"

#include <algorithm>
#include <cmath>

namespace ptq {
namespace {

constexpr double kLargest = 127;

}  // namespace

Eigen::RowVectorXd round_to_nearest(const Eigen::RowVectorXd& weights, double scale) {
  return weights.unaryExpr(
      [&](double w) { return std::clamp(std::nearbyint(w / scale), -kLargest, kLargest) * scale; });
}

Eigen::RowVectorXd round_row(const Eigen::RowVectorXd& weights, double scale,
                             const Eigen::MatrixXd& moments, int sweeps) {
  Eigen::RowVectorXd rounded = round_to_nearest(weights, scale);
  Eigen::RowVectorXd error = rounded - weights;
  Eigen::RowVectorXd gradient = error * moments;
  for (int sweep = 0; sweep < sweeps; ++sweep) {
    bool changed = false;
    for (Eigen::Index i = 0; i < weights.size(); ++i) {
      if (weights(i) == 0) continue;
      const double step = gradient(i) > 0 ? -scale : scale;
      const double gain = -2 * step * gradient(i) - step * step * moments(i, i);
      const bool is_neighbour = std::abs(error(i) + step) < scale;
      const bool fits = std::abs(rounded(i) + step) <= (kLargest + 0.5) * scale;
      // A gain in the last bits could turn a weight back and forth.
      if (gain <= 1e-9 * step * step * moments(i, i) || !is_neighbour || !fits) continue;
      rounded(i) = std::nearbyint((rounded(i) + step) / scale) * scale;
      const double moved = rounded(i) - weights(i) - error(i);
      error(i) += moved;
      gradient += moved * moments.row(i);
      changed = true;
    }
    if (!changed) break;
  }
  return rounded;
}

}  // namespace ptq
