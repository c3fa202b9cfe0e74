#include "plugins/reconstruct/correction.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <Eigen/Dense>
#include <random>

namespace reconstruct {
namespace {

constexpr Eigen::Index kInputs = 10, kOutputs = 4;

/// Moments of samples that a pruned layer before has spoiled, and of what this one should answer.
class Samples {
 public:
  explicit Samples(double spoiled) : spoiled_(spoiled) {
    std::normal_distribution<double> normal;
    for (auto& element : weights_.reshaped()) element = normal(random_);
    for (auto& element : mix_.reshaped()) element = normal(random_);
  }
  pruning::Moments draw(Eigen::Index count) {
    std::normal_distribution<double> normal;
    Eigen::MatrixXd raw(kInputs, count);
    for (auto& element : raw.reshaped()) element = normal(random_);
    Eigen::MatrixXd inputs(kInputs + 1, count), given(kInputs + 1, count);
    inputs.topRows(kInputs) = (mix_ * raw).array() + 0.5;
    inputs.row(kInputs).setOnes();
    given = inputs;
    given.topRows(2) *= 1 - spoiled_;
    given.topRows(kInputs).array() += spoiled_;
    RefitProblem problem;
    problem.gram = given * given.transpose() / static_cast<double>(count);
    problem.dense = weights_;
    problem.answers = weights_ * inputs * given.transpose() / static_cast<double>(count);
    return {{problem}, static_cast<std::uint64_t>(count)};
  }
  std::vector<std::uint8_t> half() const {
    std::vector<std::uint8_t> keep(kOutputs * kInputs);
    for (std::size_t i = 0; i < keep.size(); ++i) keep[i] = i % 2 == 0;
    return keep;
  }

 private:
  double spoiled_;
  std::mt19937 random_{11};
  RowMatrix weights_{kOutputs, kInputs + 1};
  Eigen::MatrixXd mix_{kInputs, kInputs};
};

Corrected corrected(const Evidence& evidence, const std::vector<std::uint8_t>& keep) {
  return correct(evidence, all_of(evidence), keep, 1e-3, pruning::on_this_thread());
}

TEST(Correction, makes_up_for_spoiled_inputs_by_least_squares) {
  Samples samples(0.4);
  Evidence evidence{samples.draw(3000), samples.draw(1000), true};
  const Corrected found = corrected(evidence, samples.half());
  EXPECT_EQ(found.correction, Correction::least_squares);
  EXPECT_LT(found.error_after, found.error_before);
  const pruning::Moments others = samples.draw(3000);
  EXPECT_NEAR(excess_error(others.groups, found.weights), found.error_after,
              0.1 * std::abs(found.error_after));
}

TEST(Correction, is_not_accepted_where_it_only_fits_its_samples) {
  // Fewer samples than inputs can be fitted to perfectly, which means nothing.
  Samples samples(0.0);
  Evidence evidence{samples.draw(6), samples.draw(2000), true};
  evidence.fitted.groups[0].answers = 50 * RowMatrix::Random(kOutputs, kInputs + 1);
  EXPECT_EQ(corrected(evidence, samples.half()).correction, Correction::none);
}

TEST(Correction, without_held_out_samples_or_a_target_leaves_weights_fitted_to_the_layer_itself) {
  Samples samples(0.4);
  const auto keep = samples.half();
  Evidence unjudged{samples.draw(500), {}, true};
  EXPECT_EQ(corrected(unjudged, keep).correction, Correction::none);
  Evidence untargeted{samples.draw(500), samples.draw(100), false};
  EXPECT_EQ(corrected(untargeted, keep).correction, Correction::none);
}

TEST(Correction, all_samples_count_alike) {
  Samples samples(0.2);
  const Evidence evidence{samples.draw(300), samples.draw(100), true};
  const RowMatrix expected =
      0.75 * evidence.fitted.groups[0].answers + 0.25 * evidence.held_out.groups[0].answers;
  EXPECT_TRUE(all_of(evidence)[0].answers.isApprox(expected, 1e-12));
}

TEST(ExcessError, is_that_of_the_samples_but_for_a_constant) {
  Samples samples(0.3);
  const pruning::Moments moments = samples.draw(200);
  const RefitProblem& problem = moments.groups[0];
  const RowMatrix weights = 0.5 * problem.dense;
  const double expected = (weights * problem.gram * weights.transpose()).trace() -
                          2 * (weights * problem.answers.transpose()).trace();
  EXPECT_NEAR(excess_error(moments.groups, weights), expected, 1e-9 * std::abs(expected));
}

}  // namespace
}  // namespace reconstruct
