#include "plugins/ptq/round_row.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace ptq {
namespace {

struct Problem {
  Eigen::RowVectorXd weights;
  Eigen::MatrixXd moments;
};

/// Inputs that go together, as neighbouring pixels do; every third weight is pruned.
Problem random_problem(unsigned seed) {
  std::mt19937 random(seed);
  const auto draw = [&] { return static_cast<double>(random()) / 2147483648.0 - 1; };
  constexpr Eigen::Index kSize = 48;
  Problem made;
  made.weights = Eigen::RowVectorXd::NullaryExpr(kSize, [&] { return draw(); });
  for (Eigen::Index i = 0; i < kSize; i += 3) made.weights(i) = 0;
  const Eigen::MatrixXd mixed = Eigen::MatrixXd::NullaryExpr(kSize, 6, [&] { return draw(); });
  const Eigen::MatrixXd own = Eigen::MatrixXd::NullaryExpr(kSize, kSize, [&] { return draw(); });
  made.moments = mixed * mixed.transpose() + 0.01 * own * own.transpose();
  return made;
}

double error_of(const Problem& problem, const Eigen::RowVectorXd& rounded) {
  const Eigen::RowVectorXd error = rounded - problem.weights;
  return (error * problem.moments * error.transpose())(0, 0);
}

TEST(RoundRow, lowers_the_error_of_the_outputs_several_times) {
  double nearest = 0, adapted = 0;
  for (unsigned seed = 0; seed < 20; ++seed) {
    const Problem problem = random_problem(seed);
    const double before = error_of(problem, round_to_nearest(problem.weights, 0.05));
    const double after = error_of(problem, round_row(problem.weights, 0.05, problem.moments, 6));
    EXPECT_LE(after, before);
    nearest += before;
    adapted += after;
  }
  EXPECT_LT(adapted, nearest / 3);
}

TEST(RoundRow, keeps_pruned_weights_at_zero_and_others_at_a_neighbour_on_the_grid) {
  const Problem problem = random_problem(7);
  const Eigen::RowVectorXd rounded = round_row(problem.weights, 0.05, problem.moments, 6);
  for (Eigen::Index i = 0; i < rounded.size(); ++i) {
    if (problem.weights(i) == 0) {
      EXPECT_EQ(rounded(i), 0);
    }
    EXPECT_LT(std::abs(rounded(i) - problem.weights(i)), 0.05);
    EXPECT_NEAR(rounded(i) / 0.05, std::nearbyint(rounded(i) / 0.05), 1e-9);
  }
}

TEST(RoundRow, stays_within_127_steps) {
  const Eigen::RowVectorXd weights = Eigen::RowVectorXd::Constant(4, 1.27);
  Eigen::MatrixXd moments = Eigen::MatrixXd::Ones(4, 4);
  moments.diagonal().array() += 0.1;
  const Eigen::RowVectorXd rounded = round_row(weights, 0.01, moments, 6);
  EXPECT_LE(rounded.maxCoeff(), 1.27 + 1e-9);
}

TEST(RoundRow, without_sweeps_is_the_nearest) {
  const Problem problem = random_problem(3);
  EXPECT_EQ(round_row(problem.weights, 0.05, problem.moments, 0),
            round_to_nearest(problem.weights, 0.05));
}

}  // namespace
}  // namespace ptq
