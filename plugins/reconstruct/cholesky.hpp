// Factorization and solution of large symmetric systems in fixed tiles: parallel, and the same
// numbers whatever the number of threads.
#pragma once

#include <Eigen/Core>

#include "plugins/pruning/parallel.hpp"

namespace reconstruct {

/// Replaces the lower triangle and the diagonal of `matrix` by L of A = L L^T. A's lower triangle
/// is the upper one of `matrix` mirrored, which stays; its diagonal is `diagonal` throughout. False
/// when A is not positive definite.
bool factorize(Eigen::MatrixXd& matrix, double diagonal, const pruning::ForEach& for_each);

/// Solves L L^T x = b for `count` vectors one after another in memory, in place.
void solve(const Eigen::MatrixXd& factor, double* vectors, Eigen::Index count);

}  // namespace reconstruct
