// The weights that stay take over, as well as they can, what the pruned ones did.
#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <functional>

namespace magnitude {

using RowMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using MaskMatrix = Eigen::Matrix<std::uint8_t, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// For each row v0 of `dense` (the weights of one output, then its bias): the v that is 0 outside
/// `keep` and minimizes (v - v0) H (v - v0)^T, exactly, by the normal equations
/// H_SS v_S = (H v0)_S. H is `gram` (mean of [x; 1] [x; 1]^T) with `damping` times the mean of its
/// weights' diagonal added to that part of the diagonal, which pulls a weight that the samples say
/// nothing about to what it was. `has_bias` false: the last column takes no part and stays.
/// Rows are solved on `threads` threads; the result does not depend on how many.
/// Errors: adze::Error FAILED_PRECONDITION when H_SS is singular (only with damping 0).
RowMatrix refit(const Eigen::MatrixXd& gram, const RowMatrix& dense, const MaskMatrix& keep,
                double damping, bool has_bias, unsigned threads);

}  // namespace magnitude
