// Which way each weight of one output is rounded.
#pragma once

#include <Eigen/Core>

namespace ptq {

/// Rounds `weights` to multiples of `scale` within -127..127 so that the error e of the whole row
/// has a small e H e^T, with H the second moments of its inputs: starts at the nearest and turns
/// single weights to their other neighbour while that lowers it. Never worse than the nearest for
/// this H; zeros stay zeros. The search goes through the row in its order, at most `sweeps` times.
Eigen::RowVectorXd round_row(const Eigen::RowVectorXd& weights, double scale,
                             const Eigen::MatrixXd& moments, int sweeps);

Eigen::RowVectorXd round_to_nearest(const Eigen::RowVectorXd& weights, double scale);

}  // namespace ptq
