// The oracle: optimal brain surgery one weight at a time, each time with the exact inverse.
#pragma once

#include <Eigen/Dense>
#include <algorithm>
#include <cstdint>
#include <limits>
#include <tuple>
#include <vector>

namespace exact_obs {

/// Row by row: which weights stay so that round(sparsity * all) leave, those whose loss was lowest
/// when each row lost its weights in the order of their losses. `gram`: damped.
inline std::vector<std::uint8_t> find_mask(const Eigen::MatrixXd& gram,
                                           const Eigen::MatrixXd& weights, double sparsity) {
  struct Loss {
    double loss;
    Eigen::Index row, column;
  };
  std::vector<Loss> losses;
  const Eigen::Index columns = weights.cols();
  const Eigen::MatrixXd whole = gram.llt().solve(Eigen::MatrixXd::Identity(columns, columns));

  for (Eigen::Index row = 0; row < weights.rows(); ++row) {
    Eigen::MatrixXd inverse = whole;
    Eigen::VectorXd w = weights.row(row).transpose();
    std::vector<bool> gone(static_cast<std::size_t>(columns), false);
    double highest = 0;
    for (Eigen::Index step = 0; step < columns; ++step) {
      Eigen::Index best = -1;
      double lowest = std::numeric_limits<double>::infinity();
      for (Eigen::Index p = 0; p < columns; ++p) {
        if (gone[static_cast<std::size_t>(p)]) continue;
        const double loss = w(p) * w(p) / inverse(p, p);
        if (loss < lowest) {
          lowest = loss;
          best = p;
        }
      }
      const double pivot = inverse(best, best);
      const Eigen::VectorXd column = inverse.col(best);
      w -= w(best) / pivot * column;
      inverse.noalias() -= column * (column.transpose() / pivot);
      gone[static_cast<std::size_t>(best)] = true;
      // A row keeps its order also where a later loss is lower than an earlier one.
      highest = std::max(highest, lowest);
      losses.push_back({highest, row, best});
    }
  }
  std::stable_sort(losses.begin(), losses.end(),
                   [](const Loss& a, const Loss& b) { return a.loss < b.loss; });
  const auto leaving = static_cast<std::size_t>(
      std::round(sparsity * static_cast<double>(weights.rows() * columns)));
  std::vector<std::uint8_t> keep(static_cast<std::size_t>(weights.rows() * columns), 1);
  for (std::size_t i = 0; i < leaving; ++i)
    keep[static_cast<std::size_t>(losses[i].row * columns + losses[i].column)] = 0;
  return keep;
}

}  // namespace exact_obs
