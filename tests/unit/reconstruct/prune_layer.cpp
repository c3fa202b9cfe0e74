#include "plugins/reconstruct/prune_layer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <Eigen/Dense>
#include <algorithm>
#include <numeric>
#include <random>
#include <thread>

#include "plugins/pruning/mask.hpp"
#include "plugins/reconstruct/cholesky.hpp"
#include "plugins/reconstruct/sweep.hpp"
#include "tests/unit/reconstruct/exact_obs.hpp"

namespace reconstruct {
namespace {

using ::testing::HasSubstr;

/// A convolution with correlated inputs, as images give them, in `groups` groups.
struct Sample {
  Layer layer;
  std::vector<RefitProblem> problems;

  Sample(std::int64_t rows, std::int64_t channels, std::int64_t positions, std::int64_t groups = 1,
         bool has_bias = true) {
    layer.rows = rows;
    layer.columns = channels * positions;
    layer.positions = positions;
    layer.groups = groups;
    layer.row_stride = layer.columns;
    layer.column_stride = 1;
    std::mt19937 random(5);
    std::normal_distribution<double> normal;
    const auto draw = [&](auto&& target) {
      for (auto& element : target.reshaped()) element = normal(random);
    };
    for (std::int64_t group = 0; group < groups; ++group) {
      const Eigen::Index size = layer.columns;
      Eigen::MatrixXd raw(size, 6 * size), mix(size, size);
      draw(raw);
      draw(mix);
      for (Eigen::Index column = 0; column < size; ++column)
        mix.col(column) *= 3.0 / static_cast<double>(column + 1);
      Eigen::MatrixXd inputs(size + 1, 6 * size);
      inputs.topRows(size) = ((mix * raw).array() + 0.3).max(0);
      inputs.row(size).setOnes();
      RefitProblem problem;
      problem.has_bias = has_bias;
      problem.gram = inputs * inputs.transpose() / static_cast<double>(inputs.cols());
      problem.dense.resize(rows / groups, size + 1);
      draw(problem.dense);
      problem.answers = problem.dense * problem.gram;
      problems.push_back(std::move(problem));
    }
  }
};

ForEach two_threads() {
  return [](std::uint64_t count, const std::function<void(std::uint64_t)>& body) {
    std::jthread other([&] {
      const pruning::OneBlasThread one;
      for (std::uint64_t i = count; i-- > count / 2;) body(i);
    });
    const pruning::OneBlasThread one;
    for (std::uint64_t i = count / 2; i-- > 0;) body(i);
  };
}

PrunedLayer prune(const Sample& sample, const Goal& goal, const LayerOptions& options = {},
                  std::span<const std::uint8_t> earlier = {},
                  std::span<const std::uint8_t> fixed = {}) {
  return prune_layer(sample.layer, sample.problems, goal, earlier, fixed, options,
                     pruning::on_this_thread());
}

double share_of_zeros(const std::vector<std::uint8_t>& keep) {
  return static_cast<double>(std::count(keep.begin(), keep.end(), std::uint8_t{0})) /
         static_cast<double>(keep.size());
}

double error_of(const Sample& sample, const std::vector<std::uint8_t>& keep) {
  return relative_error(sample.problems,
                        refit_mask(sample.problems, keep, 1e-3, pruning::on_this_thread()));
}

TEST(Cholesky, of_tiles_equals_eigens_and_solves) {
  // Larger than two tiles, and no multiple of one.
  std::mt19937 random(1);
  std::normal_distribution<double> normal;
  constexpr Eigen::Index kSize = 450;
  Eigen::MatrixXd raw(kSize, kSize);
  for (auto& element : raw.reshaped()) element = normal(random);
  Eigen::MatrixXd matrix = raw * raw.transpose() / kSize;
  matrix.diagonal().setConstant(3);
  Eigen::MatrixXd factor = matrix;
  ASSERT_TRUE(factorize(factor, 4, two_threads()));
  matrix.diagonal().setConstant(4);
  const Eigen::MatrixXd expected = matrix.llt().matrixL();
  EXPECT_TRUE(Eigen::MatrixXd(factor.triangularView<Eigen::Lower>()).isApprox(expected, 1e-10));
  EXPECT_EQ(Eigen::MatrixXd(factor.triangularView<Eigen::StrictlyUpper>()),
            Eigen::MatrixXd(matrix.triangularView<Eigen::StrictlyUpper>()));

  Eigen::MatrixXd right = raw.leftCols(3);
  solve(factor, right.data(), 3);
  EXPECT_TRUE((matrix * right).isApprox(raw.leftCols(3), 1e-8));
}

TEST(Cholesky, says_when_a_matrix_is_not_positive_definite) {
  Eigen::MatrixXd matrix = Eigen::MatrixXd::Constant(4, 4, 2.0);
  EXPECT_FALSE(factorize(matrix, 1, pruning::on_this_thread()));
}

TEST(PruneLayer, keeps_exactly_the_asked_number_and_weights_only_there) {
  const Sample sample(16, 6, 9);
  for (const double sparsity : {0.0, 0.5, 0.7, 0.95}) {
    const PrunedLayer pruned = prune(sample, {.sparsity = sparsity});
    EXPECT_NEAR(share_of_zeros(pruned.keep), sparsity, 0.5 / 864) << sparsity;
    for (Eigen::Index row = 0; row < 16; ++row)
      for (Eigen::Index column = 0; column < 54; ++column)
        if (!pruned.keep[static_cast<std::size_t>(row * 54 + column)]) {
          EXPECT_EQ(pruned.weights(row, column), 0);
        }
  }
}

TEST(PruneLayer, weights_are_the_dense_least_squares_solution_on_the_mask) {
  const Sample sample(8, 4, 9);
  const double damping = 1e-2;
  const PrunedLayer pruned = prune(sample, {.sparsity = 0.6}, {.damping = damping});
  const RefitProblem& problem = sample.problems[0];
  const Eigen::VectorXd mean = problem.gram.col(36).head(36);
  const double pull = damping * (problem.gram.diagonal().head(36) - mean.cwiseAbs2()).mean();
  for (Eigen::Index row = 0; row < 8; ++row) {
    // The whole system with the bias, solved by QR.
    std::vector<Eigen::Index> support;
    for (Eigen::Index column = 0; column < 36; ++column)
      if (pruned.keep[static_cast<std::size_t>(row * 36 + column)]) support.push_back(column);
    support.push_back(36);
    Eigen::MatrixXd system = problem.gram(support, support);
    Eigen::VectorXd right = problem.answers.row(row)(support).transpose();
    for (Eigen::Index i = 0; i + 1 < system.rows(); ++i) {
      system(i, i) += pull;
      right(i) += pull * problem.dense(row, support[static_cast<std::size_t>(i)]);
    }
    const Eigen::VectorXd expected = system.colPivHouseholderQr().solve(right);
    for (Eigen::Index i = 0; i < system.rows(); ++i)
      EXPECT_NEAR(pruned.weights(row, support[static_cast<std::size_t>(i)]), expected(i), 1e-7);
  }
}

TEST(PruneLayer, is_as_good_as_exact_optimal_brain_surgery) {
  const Sample sample(12, 8, 9);
  const Quadratic problem = quadratic_of(sample.problems, 1e-3);
  for (const double sparsity : {0.7, 0.9}) {
    const auto oracle = exact_obs::find_mask(problem.gram[0], problem.dense, sparsity);
    const PrunedLayer pruned = prune(sample, {.sparsity = sparsity});
    EXPECT_LT(pruned.error, 1.03 * error_of(sample, oracle)) << sparsity;
  }
}

TEST(PruneLayer, exchanges_make_the_searched_mask_better_and_not_larger) {
  const Sample sample(16, 8, 9);
  for (const double sparsity : {0.5, 0.7, 0.9}) {
    const LayerOptions searched{.exchange = 0}, exchanged{.exchange = 20};
    const PrunedLayer before = prune(sample, {.sparsity = sparsity}, searched);
    const PrunedLayer after = prune(sample, {.sparsity = sparsity}, exchanged);
    EXPECT_LT(after.error, before.error) << sparsity;
    EXPECT_EQ(share_of_zeros(after.keep), share_of_zeros(before.keep));
  }
}

TEST(PruneLayer, exchanges_bring_nothing_back_that_was_pruned_earlier) {
  const Sample sample(16, 8, 9);
  std::vector<std::uint8_t> earlier(static_cast<std::size_t>(sample.layer.count()));
  for (std::size_t i = 0; i < earlier.size(); ++i) earlier[i] = i % 3 != 0;
  const PrunedLayer pruned = prune(sample, {.sparsity = 0.6}, {.exchange = 20}, earlier);
  for (std::size_t i = 0; i < earlier.size(); ++i) EXPECT_LE(pruned.keep[i], earlier[i]);
  EXPECT_NEAR(share_of_zeros(pruned.keep), 0.6, 1e-3);
}

TEST(PruneLayer, beats_the_sweep_which_beats_magnitude) {
  const Sample sample(16, 16, 9);
  const Goal goal{.sparsity = 0.8};
  const double best = prune(sample, goal).error;
  const double fast = prune(sample, goal, {.search = Search::sweep}).error;
  std::vector<double> scores;
  for (const double weight :
       RowMatrix(sample.problems[0].dense.leftCols(144)).reshaped<Eigen::RowMajor>())
    scores.push_back(weight * weight);
  const double magnitude = error_of(sample, pruning::choose_mask(sample.layer, goal, scores, {}));
  EXPECT_LT(1.2 * best, fast);
  EXPECT_LT(1.2 * fast, magnitude);
}

TEST(PruneLayer, a_sweep_leaves_zeros_outside_its_mask_and_meets_the_goal) {
  const Sample sample(16, 16, 9);
  const Quadratic problem = quadratic_of(sample.problems, 1e-3);
  for (const Goal& goal : {Goal{.sparsity = 0.8}, Goal{.sparsity = 0.75, .kept = 4, .group = 16}}) {
    const Swept swept = sweep(problem, sample.layer, goal, pruning::on_this_thread());
    EXPECT_NEAR(share_of_zeros(swept.keep), goal.sparsity, 0.01);
    for (std::size_t i = 0; i < swept.keep.size(); ++i)
      if (!swept.keep[i]) {
        EXPECT_EQ(swept.weights.data()[i], 0);
      }
  }
}

TEST(PruneLayer, holds_the_pattern) {
  const Sample sample(8, 16, 9);
  const PrunedLayer pruned = prune(sample, {.sparsity = 0.75, .kept = 4, .group = 16});
  for (std::size_t row = 0; row < 8; ++row)
    for (std::size_t position = 0; position < 9; ++position) {
      int kept = 0;
      for (std::size_t channel = 0; channel < 16; ++channel)
        kept += pruned.keep[row * 144 + channel * 9 + position];
      EXPECT_EQ(kept, 4);
    }
  const PrunedLayer blocks = prune(sample, {.sparsity = 0.5, .block_outputs = 4});
  for (std::size_t column = 0; column < 144; ++column)
    for (std::size_t row = 0; row < 8; ++row)
      EXPECT_EQ(blocks.keep[row * 144 + column], blocks.keep[row / 4 * 4 * 144 + column]);
}

TEST(PruneLayer, works_on_each_group_of_a_convolution_with_its_own_inputs) {
  Sample both(8, 4, 9, 2);
  const PrunedLayer pruned = prune(both, {.sparsity = 0.5});
  EXPECT_NEAR(share_of_zeros(pruned.keep), 0.5, 1e-9);
  // On one group's mask the weights are those of that group alone.
  const std::vector<std::uint8_t> second(pruned.keep.begin() + 4 * 36, pruned.keep.end());
  const RowMatrix alone =
      refit_mask(std::span(both.problems).subspan(1), second, 1e-3, pruning::on_this_thread());
  EXPECT_TRUE(alone.isApprox(pruned.weights.bottomRows(4), 1e-10));
}

TEST(PruneLayer, gives_the_same_bytes_for_any_number_of_threads) {
  const Sample sample(40, 24, 9, 1);
  const LayerOptions options;
  const PrunedLayer one = prune(sample, {.sparsity = 0.8});
  const PrunedLayer two =
      prune_layer(sample.layer, sample.problems, {.sparsity = 0.8}, {}, {}, options, two_threads());
  EXPECT_EQ(one.keep, two.keep);
  EXPECT_EQ(one.weights, two.weights);
}

TEST(PruneLayer, keeps_masks_of_earlier_stages) {
  const Sample sample(8, 4, 9);
  std::vector<std::uint8_t> earlier(288, 1);
  for (std::size_t i = 0; i < earlier.size(); i += 3) earlier[i] = 0;
  for (const Search search : {Search::admm, Search::sweep}) {
    const PrunedLayer pruned = prune(sample, {.sparsity = 0.5}, {.search = search}, earlier);
    for (std::size_t i = 0; i < earlier.size(); i += 3) EXPECT_EQ(pruned.keep[i], 0);
    EXPECT_NEAR(share_of_zeros(pruned.keep), 0.5, 0.01);
  }
}

TEST(PruneLayer, takes_the_users_mask_as_it_is) {
  const Sample sample(8, 4, 9);
  std::vector<std::uint8_t> mask(288, 0);
  for (std::size_t i = 0; i < mask.size(); i += 2) mask[i] = 1;
  EXPECT_EQ(prune(sample, {.sparsity = 0.9}, {}, {}, mask).keep, mask);
}

TEST(PruneLayer, copes_with_dead_and_constant_inputs) {
  Sample sample(8, 4, 9);
  RefitProblem& problem = sample.problems[0];
  problem.gram.row(3).setZero();  // always 0
  problem.gram.col(3).setZero();
  problem.gram.row(5) = 2 * problem.gram.row(36);  // always 2
  problem.gram.col(5) = 2 * problem.gram.col(36);
  problem.gram(5, 5) = 4;
  problem.answers = problem.dense * problem.gram;
  const PrunedLayer pruned = prune(sample, {.sparsity = 0.7});
  EXPECT_TRUE(pruned.weights.allFinite());
  for (std::size_t row = 0; row < 8; ++row) {
    EXPECT_EQ(pruned.keep[row * 36 + 3], 0);
    EXPECT_EQ(pruned.keep[row * 36 + 5], 0) << "the bias makes up for a constant";
  }
  // Nothing but constants: the smallest weights leave.
  problem.gram.setZero();
  problem.gram(36, 36) = 1;
  problem.answers = problem.dense * problem.gram;
  const PrunedLayer silent = prune(sample, {.sparsity = 0.7});
  EXPECT_TRUE(silent.weights.allFinite());
  double lowest_kept = 1e9, highest_gone = 0;
  for (Eigen::Index i = 0; i < 288; ++i) {
    const double size = std::abs(problem.dense(i / 36, i % 36));
    double& bound = silent.keep[static_cast<std::size_t>(i)] ? lowest_kept : highest_gone;
    bound =
        silent.keep[static_cast<std::size_t>(i)] ? std::min(bound, size) : std::max(bound, size);
  }
  EXPECT_GE(1.2 * lowest_kept, highest_gone);
}

TEST(PruneLayer, refuses_a_singular_gram_matrix_without_damping) {
  Sample sample(4, 4, 1);
  sample.problems[0].gram.row(1) = sample.problems[0].gram.row(0);
  sample.problems[0].gram.col(1) = sample.problems[0].gram.col(0);
  sample.problems[0].gram(1, 1) = sample.problems[0].gram(0, 0);
  try {
    prune(sample, {.sparsity = 0.25}, {.damping = 0, .admm = {.rho = 0}});
    FAIL() << "no error";
  } catch (const adze::Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("raise `damping`"));
  }
}

TEST(PruneLayer, without_a_free_bias_leaves_it_and_accounts_for_it) {
  const Sample sample(8, 4, 9, 1, false);
  const PrunedLayer pruned = prune(sample, {.sparsity = 0.5});
  EXPECT_EQ(pruned.weights.col(36), sample.problems[0].dense.col(36));
  EXPECT_LT(pruned.error, 0.5);
}

}  // namespace
}  // namespace reconstruct
