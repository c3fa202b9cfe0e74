#include "plugins/reconstruct/problem.hpp"

namespace reconstruct {
namespace {

/// Below this share of its power, the variance of an input is rounding.
constexpr double kRounding = 1e-10;
/// Inputs that never change say nothing about their weights, which then stay close to what they
/// were; they are the first to leave.
constexpr double kSilentPower = 1e-12;

}  // namespace

Quadratic quadratic_of(std::span<const RefitProblem> problems, double damping) {
  const pruning::OneBlasThread one;
  const Eigen::Index group_rows = problems[0].dense.rows(), columns = problems[0].dense.cols() - 1;
  const auto groups = static_cast<Eigen::Index>(problems.size());
  Quadratic made;
  made.targets.resize(group_rows * groups, columns);
  made.dense.resize(group_rows * groups, columns);
  if (problems[0].has_bias) {
    made.input_means.resize(groups, columns);
    made.output_means.resize(group_rows * groups);
  }
  for (Eigen::Index group = 0; group < groups; ++group) {
    const RefitProblem& problem = problems[static_cast<std::size_t>(group)];
    auto targets = made.targets.middleRows(group * group_rows, group_rows);
    auto dense = made.dense.middleRows(group * group_rows, group_rows);
    Eigen::MatrixXd gram = problem.gram.topLeftCorner(columns, columns);
    targets = problem.answers.leftCols(columns);
    dense = problem.dense.leftCols(columns);
    if (problem.has_bias) {
      const Eigen::VectorXd mean = problem.gram.col(columns).head(columns);
      gram.noalias() -= mean * mean.transpose();
      targets.noalias() -= problem.answers.col(columns) * mean.transpose();
      made.input_means.row(group) = mean.transpose();
      made.output_means.segment(group * group_rows, group_rows) = problem.answers.col(columns);
    } else {
      // The bias stays: what it adds on average is no longer to be answered.
      targets.noalias() -=
          problem.dense.col(columns) * problem.gram.col(columns).head(columns).transpose();
    }
    const double power = gram.diagonal().mean();
    double pull = damping * power;
    if (!(power > kRounding * problem.gram.diagonal().head(columns).mean())) {
      gram.setZero();
      targets.setZero();
      pull = kSilentPower;
    }
    gram.diagonal().array() += pull;
    targets += pull * dense;
    made.gram.push_back(std::move(gram));
  }
  return made;
}

Eigen::VectorXd bias_for(const Quadratic& problem, const RowMatrix& weights) {
  Eigen::VectorXd bias = problem.output_means;
  for (Eigen::Index row = 0; row < weights.rows(); ++row)
    bias(row) -= weights.row(row).dot(problem.input_means.row(row / problem.group_rows()));
  return bias;
}

double excess_error(std::span<const RefitProblem> problems, const RowMatrix& weights) {
  const pruning::OneBlasThread one;
  double error = 0;
  Eigen::Index first = 0;
  for (const RefitProblem& problem : problems) {
    const auto part = weights.middleRows(first, problem.dense.rows());
    const RowMatrix answered = part * problem.gram;
    error += answered.cwiseProduct(part).sum() - 2 * problem.answers.cwiseProduct(part).sum();
    first += problem.dense.rows();
  }
  return error;
}

double relative_error(std::span<const RefitProblem> problems, const RowMatrix& weights) {
  const pruning::OneBlasThread one;
  double error = 0, power = 0;
  Eigen::Index first = 0;
  for (const RefitProblem& problem : problems) {
    const Eigen::Index columns = problem.dense.cols() - 1;
    const auto gram = problem.gram.topLeftCorner(columns, columns);
    const RowMatrix dense = problem.dense.leftCols(columns);
    const RowMatrix change = weights.block(first, 0, dense.rows(), columns) - dense;
    error += (change * gram).cwiseProduct(change).sum();
    power += (dense * gram).cwiseProduct(dense).sum();
    first += dense.rows();
  }
  return power > 0 ? error / power : 0;
}

}  // namespace reconstruct
