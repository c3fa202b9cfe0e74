// The weights that stay take over, as well as they can, what the pruned ones did.
#pragma once

#include <Eigen/Core>
#include <cstdint>

#include "plugins/pruning/parallel.hpp"

namespace pruning {

using RowMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using MaskMatrix = Eigen::Matrix<std::uint8_t, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

struct RefitProblem {
  Eigen::MatrixXd gram;  ///< mean of [x; 1] [x; 1]^T over the inputs x that the layer will get
  RowMatrix dense;       ///< a row an output: its weights as they were, then its bias
  RowMatrix answers;     ///< a row an output: mean of y [x; 1]^T, with y what it should answer
  double damping = 0;
  bool has_bias = true;  ///< false: the last column takes no part and stays
};

/// For each output, with v0 its row of `dense`: the v that is 0 outside `keep` and minimizes
/// mean (v [x; 1] - y)^2 + l |v - v0|^2 exactly, by the normal equations. l is `damping` times the
/// mean of the weights' part of the Gram matrix's diagonal; it does not hold back the bias.
/// Errors: adze::Error FAILED_PRECONDITION when a row's equations have no single solution (only
/// with damping 0).
RowMatrix refit(const RefitProblem& problem, const MaskMatrix& keep, const ForEach& for_each);

/// The equations themselves: row r of `solved` becomes the v that is 0 outside `keep` and solves
/// gram v = targets.col(r) on the rest, the last column (a bias) always among it with `has_bias`,
/// untouched otherwise. Errors: as refit().
void solve_rows(const Eigen::MatrixXd& gram, const Eigen::MatrixXd& targets, const MaskMatrix& keep,
                bool has_bias, RowMatrix& solved, const ForEach& for_each);

}  // namespace pruning
