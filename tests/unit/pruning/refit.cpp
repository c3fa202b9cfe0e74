#include "plugins/pruning/refit.hpp"

#include <gtest/gtest.h>

#include <Eigen/Dense>
#include <adze/adze.hpp>
#include <random>
#include <thread>

namespace pruning {
namespace {

constexpr Eigen::Index kInputs = 12, kOutputs = 5, kSamples = 40;

/// A small random layer: correlated inputs with a mean, weights with a bias column, half masked.
struct Problem {
  Eigen::MatrixXd inputs{kInputs + 1, kSamples};  // the last row is 1
  Eigen::MatrixXd gram;
  RowMatrix dense{kOutputs, kInputs + 1};
  MaskMatrix keep{kOutputs, kInputs};

  Problem() {
    std::mt19937 random(3);
    std::normal_distribution<double> normal;
    const auto draw = [&](auto&& target) {
      for (auto& element : target.reshaped()) element = normal(random);
    };
    Eigen::MatrixXd raw(kInputs, kSamples), mix(kInputs, kInputs);
    draw(raw);
    draw(mix);
    draw(dense);
    inputs.topRows(kInputs) = (mix * raw).array() + 0.5;
    inputs.row(kInputs).setOnes();
    gram = inputs * inputs.transpose() / static_cast<double>(kSamples);
    for (auto& element : keep.reshaped()) element = normal(random) > 0 ? 1 : 0;
    keep.row(0).setZero();  // an output that loses everything but its bias
    keep.row(1).setOnes();
  }
  /// Of all outputs but the one that keeps no weight.
  double error(const RowMatrix& weights) const {
    return ((weights - dense).bottomRows(kOutputs - 1) * inputs).squaredNorm();
  }
  RefitProblem refit_problem(double damping, bool has_bias = true) const {
    return {.gram = gram,
            .dense = dense,
            .answers = dense * gram,
            .damping = damping,
            .has_bias = has_bias};
  }
  RowMatrix magnitude_alone() const {
    RowMatrix masked = dense;
    masked.leftCols(kInputs).array() *= keep.cast<double>().array();
    return masked;
  }
};

ForEach backwards_on_two_threads() {
  return [](std::uint64_t count, const std::function<void(std::uint64_t)>& body) {
    std::jthread other([&] {
      for (std::uint64_t i = count; i-- > count / 2;) body(i);
    });
    for (std::uint64_t i = count / 2; i-- > 0;) body(i);
  };
}

TEST(Refit, matches_a_least_squares_solution_of_the_samples) {
  const Problem problem;
  const RowMatrix fitted = refit(problem.refit_problem(0), problem.keep, on_this_thread());
  for (Eigen::Index row = 0; row < kOutputs; ++row) {
    std::vector<Eigen::Index> support;
    for (Eigen::Index i = 0; i < kInputs; ++i)
      if (problem.keep(row, i)) support.push_back(i);
    support.push_back(kInputs);
    // QR of the samples themselves, without normal equations.
    const Eigen::MatrixXd rows = problem.inputs(support, Eigen::all).transpose();
    const Eigen::VectorXd wanted = problem.inputs.transpose() * problem.dense.row(row).transpose();
    const Eigen::VectorXd reference = rows.colPivHouseholderQr().solve(wanted);
    for (std::size_t i = 0; i < support.size(); ++i)
      EXPECT_NEAR(fitted(row, support[i]), reference(static_cast<Eigen::Index>(i)), 1e-8);
  }
}

TEST(Refit, answers_better_than_magnitude_alone) {
  const Problem problem;
  const RowMatrix fitted = refit(problem.refit_problem(1e-3), problem.keep, on_this_thread());
  EXPECT_LT(problem.error(fitted), 0.75 * problem.error(problem.magnitude_alone()));
}

TEST(Refit, leaves_pruned_weights_at_zero_and_full_rows_as_they_were) {
  const Problem problem;
  const RowMatrix fitted = refit(problem.refit_problem(1e-3), problem.keep, on_this_thread());
  for (Eigen::Index row = 0; row < kOutputs; ++row)
    for (Eigen::Index i = 0; i < kInputs; ++i)
      if (!problem.keep(row, i)) {
        EXPECT_EQ(fitted(row, i), 0);
      }
  EXPECT_TRUE(fitted.row(1).isApprox(problem.dense.row(1), 1e-8));
}

TEST(Refit, without_bias_leaves_the_last_column_alone) {
  const Problem problem;
  const RowMatrix fitted =
      refit(problem.refit_problem(1e-3, false), problem.keep, on_this_thread());
  EXPECT_EQ(fitted.col(kInputs), problem.dense.col(kInputs));
}

TEST(Refit, meets_given_answers_from_other_inputs) {
  // What a layer should answer was computed from inputs that an earlier layer no longer delivers.
  const Problem problem;
  RefitProblem other = problem.refit_problem(0);
  const RowMatrix wanted = 2 * problem.dense;
  other.answers = wanted * problem.gram;
  const RowMatrix fitted = refit(other, problem.keep, on_this_thread());
  EXPECT_TRUE(fitted.row(1).isApprox(wanted.row(1), 1e-8));
}

TEST(Refit, does_not_depend_on_the_number_of_threads) {
  const Problem problem;
  EXPECT_EQ(refit(problem.refit_problem(1e-3), problem.keep, on_this_thread()),
            refit(problem.refit_problem(1e-3), problem.keep, backwards_on_two_threads()));
}

TEST(Refit, damping_keeps_a_weight_whose_input_is_always_zero) {
  Problem problem;
  problem.gram.row(2).setZero();
  problem.gram.col(2).setZero();
  problem.keep.row(1).setOnes();
  const RowMatrix fitted = refit(problem.refit_problem(1e-3), problem.keep, on_this_thread());
  EXPECT_NEAR(fitted(1, 2), problem.dense(1, 2), 1e-8);
}

TEST(Refit, refuses_a_singular_gram_matrix_without_damping) {
  Problem problem;
  problem.gram.row(2).setZero();
  problem.gram.col(2).setZero();
  problem.keep.row(1).setOnes();
  EXPECT_THROW(refit(problem.refit_problem(0), problem.keep, on_this_thread()), adze::Error);
}

}  // namespace
}  // namespace pruning
