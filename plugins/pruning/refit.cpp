#include "plugins/pruning/refit.hpp"

#include <Eigen/Cholesky>
#include <adze/adze.hpp>
#include <algorithm>
#include <atomic>
#include <vector>

namespace pruning {
namespace {

/// False when the normal equations have no single solution.
bool solve_row(const Eigen::MatrixXd& gram, const Eigen::VectorXd& target, const MaskMatrix& keep,
               Eigen::Index row, bool has_bias, RowMatrix& refitted) {
  const Eigen::Index weights = keep.cols();
  std::vector<Eigen::Index> support;
  for (Eigen::Index column = 0; column < weights; ++column)
    if (keep(row, column)) support.push_back(column);
  if (has_bias) support.push_back(weights);

  refitted.row(row).head(weights).setZero();
  if (support.empty()) return true;
  const Eigen::MatrixXd part = gram(support, support);
  const Eigen::LLT<Eigen::MatrixXd> factor(part);
  if (factor.info() != Eigen::Success) return false;
  const Eigen::VectorXd solution = factor.solve(Eigen::VectorXd(target(support)));
  if (!solution.allFinite()) return false;
  for (std::size_t i = 0; i < support.size(); ++i)
    refitted(row, support[i]) = solution(static_cast<Eigen::Index>(i));
  return true;
}

}  // namespace

RowMatrix refit(const RefitProblem& problem, const MaskMatrix& keep, const ForEach& for_each) {
  const OneBlasThread one_thread;
  const Eigen::Index weights = keep.cols();
  Eigen::MatrixXd damped = problem.gram;
  const double pull = problem.damping * problem.gram.diagonal().head(weights).mean();
  damped.diagonal().head(weights).array() += pull;
  Eigen::MatrixXd targets = problem.answers.transpose();  // a column an output
  targets.topRows(weights) += pull * problem.dense.leftCols(weights).transpose();

  RowMatrix refitted = problem.dense;
  solve_rows(damped, targets, keep, problem.has_bias, refitted, for_each);
  return refitted;
}

void solve_rows(const Eigen::MatrixXd& gram, const Eigen::MatrixXd& targets, const MaskMatrix& keep,
                bool has_bias, RowMatrix& solved, const ForEach& for_each) {
  constexpr Eigen::Index kRows = 4;  // of one piece of work
  std::atomic<bool> singular = false;
  for_each(static_cast<std::uint64_t>((solved.rows() + kRows - 1) / kRows), [&](std::uint64_t at) {
    const auto first = static_cast<Eigen::Index>(at) * kRows;
    for (Eigen::Index row = first; row < std::min(first + kRows, solved.rows()); ++row)
      if (!solve_row(gram, targets.col(row), keep, row, has_bias, solved)) singular = true;
  });
  if (singular)
    throw adze::Error(ADZE_FAILED_PRECONDITION,
                      "the calibration samples do not determine its weights (singular Gram "
                      "matrix); raise `damping` or give more samples");
}

}  // namespace pruning
