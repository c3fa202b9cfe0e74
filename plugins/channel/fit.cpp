#include "plugins/channel/fit.hpp"

#include <Eigen/Cholesky>
#include <adze/adze.hpp>
#include <utility>

namespace channel {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;

/// By rows, each on its own support.
RowMatrix fit_masked(const pruning::RefitProblem& problem, const RowMatrix& current,
                     const Remains& remains, double damping, const pruning::ForEach& for_each) {
  MaskMatrix keep = remains.keep;
  for (Index column = 0; column < keep.cols(); ++column)
    if (!remains.columns[static_cast<std::size_t>(column)]) keep.col(column).setZero();
  return pruning::refit({.gram = problem.gram,
                         .dense = current,
                         .answers = problem.answers,
                         .damping = damping,
                         .has_bias = remains.moves_bias},
                        keep, for_each);
}

}  // namespace

pruning::RefitProblem merge(const pruning::RefitProblem& a, const pruning::RefitProblem& b,
                            double share) {
  pruning::RefitProblem both = a;
  both.gram = a.gram * share + b.gram * (1 - share);
  both.answers = a.answers * share + b.answers * (1 - share);
  return both;
}

RowMatrix fit(const pruning::RefitProblem& problem, const RowMatrix& current,
              const Remains& remains, double damping, const pruning::ForEach& for_each) {
  const Index bias = current.cols() - 1;
  const pruning::OneBlasThread one;
  RowMatrix fitted = RowMatrix::Zero(current.rows(), current.cols());
  if (remains.keep.size() > 0) {
    fitted = fit_masked(problem, current, remains, damping, for_each);
  } else {
    std::vector<Index> support;
    for (Index column = 0; column < bias; ++column)
      if (remains.columns[static_cast<std::size_t>(column)]) support.push_back(column);
    const auto inputs = static_cast<Index>(support.size());
    if (remains.moves_bias) support.push_back(bias);
    MatrixXd part = problem.gram(support, support);
    MatrixXd goal = problem.answers(Eigen::all, support).transpose();
    const double power = inputs ? part.diagonal().head(inputs).mean() : 0;
    const double pull = damping * (power > 0 ? power : 1);
    part.diagonal().head(inputs).array() += pull;
    for (Index i = 0; i < inputs; ++i)
      goal.row(i) += pull * current.col(support[static_cast<std::size_t>(i)]).transpose();
    const Eigen::LLT<MatrixXd> factor(part);
    if (factor.info() != Eigen::Success)
      throw adze::Error(ADZE_FAILED_PRECONDITION,
                        "the calibration samples do not determine its weights (singular Gram "
                        "matrix); raise `damping` or give more samples");
    fitted(Eigen::all, support) = factor.solve(goal).transpose();
    if (!remains.moves_bias) fitted.col(bias) = current.col(bias);
  }
  for (Index row = 0; row < fitted.rows(); ++row)
    if (!remains.rows[static_cast<std::size_t>(row)]) fitted.row(row).setZero();
  return fitted;
}

double loss(const pruning::RefitProblem& problem, const RowMatrix& weight, const Remains& remains) {
  const pruning::OneBlasThread one;
  const RowMatrix product = weight * problem.gram;
  double sum = 0;
  for (Index row = 0; row < weight.rows(); ++row)
    if (remains.rows[static_cast<std::size_t>(row)])
      sum += weight.row(row).dot(product.row(row) - 2 * problem.answers.row(row));
  return sum;
}

}  // namespace channel
