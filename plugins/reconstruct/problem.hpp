// What pruning one layer means as a problem of numbers: no graph, no host.
#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <span>
#include <vector>

#include "plugins/pruning/layer.hpp"
#include "plugins/pruning/pattern.hpp"
#include "plugins/pruning/refit.hpp"

namespace reconstruct {

using pruning::ForEach;
using pruning::Goal;
using pruning::Layer;
using pruning::RefitProblem;
using pruning::RowMatrix;

/// Find V, zero where the mask says, with the smallest sum over outputs of
/// v H v^T - 2 v y^T. The bias is eliminated already where it is free.
struct Quadratic {
  std::vector<Eigen::MatrixXd> gram;  ///< H, one a group of the layer, damped: positive definite
  RowMatrix targets;                  ///< y, a row an output
  RowMatrix dense;                    ///< the weights before, a row an output
  RowMatrix input_means;              ///< a row a group; empty without a free bias
  Eigen::VectorXd output_means;       ///< what each output should be on average

  Eigen::Index rows() const { return targets.rows(); }
  Eigen::Index columns() const { return targets.cols(); }
  Eigen::Index group_rows() const { return rows() / static_cast<Eigen::Index>(gram.size()); }
  const Eigen::MatrixXd& gram_of(Eigen::Index row) const {
    return gram[static_cast<std::size_t>(row / group_rows())];
  }
};

/// `problems`: one a group. `damping`, as a share of the inputs' mean power, pulls towards `dense`.
Quadratic quadratic_of(std::span<const RefitProblem> problems, double damping);

/// The biases that go with `weights`: each output is right on average. Only with input_means.
Eigen::VectorXd bias_for(const Quadratic& problem, const RowMatrix& weights);

/// Sum over outputs of mean (v [x; 1] - y)^2 but for the mean of y^2, which does not depend on v.
/// `weights`: a row an output, then its bias. Negative when v is better than answering nothing.
double excess_error(std::span<const RefitProblem> problems, const RowMatrix& weights);

/// mean |v x - v0 x|^2 over mean |v0 x|^2, both summed over outputs; x without the bias.
double relative_error(std::span<const RefitProblem> problems, const RowMatrix& weights);

}  // namespace reconstruct
