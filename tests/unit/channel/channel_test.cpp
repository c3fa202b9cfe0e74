// The parts of adze.prune.channel against what they shorten: dense formulas and exhaustive search.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <Eigen/Cholesky>
#include <random>

#include "plugins/channel/allocation.hpp"
#include "plugins/channel/fit.hpp"
#include "plugins/channel/selection.hpp"

namespace channel {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using testing::ElementsAre;

constexpr double kDamping = 1e-2;

MatrixXd random_matrix(Index rows, Index columns, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  return MatrixXd::NullaryExpr(rows, columns, [&] { return normal(random); });
}

/// Samples of inputs that depend on one another, with a 1 below.
MatrixXd samples(Index inputs, std::uint64_t seed) {
  MatrixXd x(inputs + 1, 200);
  x.topRows(inputs) = random_matrix(inputs, inputs, seed) * random_matrix(inputs, 200, seed + 1);
  x.topRows(inputs).array() += 0.5;
  x.row(inputs).setOnes();
  return x;
}

Reader reader_of(const MatrixXd& x, const RowMatrix& weight, Index span) {
  Reader reader{.gram = x * x.transpose() / static_cast<double>(x.cols()), .weight = weight};
  for (Index first = 0; first + 1 < x.rows(); first += span) {
    reader.columns.emplace_back();
    for (Index i = 0; i < span; ++i) reader.columns.back().push_back(first + i);
  }
  return reader;
}

/// The damped loss of the best weights without some columns, in relation to the variance of what
/// the whole answers.
double loss_without(const Reader& reader, const std::vector<std::uint32_t>& channels) {
  const Index inputs = reader.weight.cols() - 1;
  const Eigen::VectorXd means = reader.gram.col(inputs).head(inputs);
  const MatrixXd centered = reader.gram.topLeftCorner(inputs, inputs) - means * means.transpose();
  MatrixXd damped = centered;
  damped.diagonal().array() += kDamping * centered.diagonal().mean();
  std::vector<Index> kept;
  for (std::uint32_t c = 0; c < reader.columns.size(); ++c)
    if (std::ranges::find(channels, c) == channels.end())
      kept.insert(kept.end(), reader.columns[c].begin(), reader.columns[c].end());
  const MatrixXd weight = reader.weight.leftCols(inputs);
  const MatrixXd part = damped(kept, kept);
  MatrixXd best = MatrixXd::Zero(weight.rows(), inputs);
  best(Eigen::all, kept) =
      part.llt().solve((weight * damped)(Eigen::all, kept).transpose()).transpose();
  const MatrixXd difference = best - weight;
  return (difference * damped).cwiseProduct(difference).sum() /
         (weight * centered).cwiseProduct(weight).sum();
}

TEST(ChannelSelection, tells_the_loss_of_a_refit_without_making_one) {
  const Reader reader = reader_of(samples(12, 1), random_matrix(5, 13, 9), 3);
  const Removal removal = choose_removal({reader}, 4, {1, 2, 3}, kDamping, [](double) {});
  ASSERT_EQ(removal.order.size(), 3u);
  for (std::size_t n = 1; n <= 3; ++n)
    EXPECT_NEAR(removal.error[n],
                loss_without(reader, {removal.order.begin(),
                                      removal.order.begin() + static_cast<std::ptrdiff_t>(n)}),
                1e-9);
}

TEST(ChannelSelection, takes_the_channel_without_which_a_refit_loses_least) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Reader reader = reader_of(samples(10, seed), random_matrix(4, 11, seed + 100), 2);
    const Removal removal = choose_removal({reader}, 5, {1}, kDamping, [](double) {});
    for (std::uint32_t c = 0; c < 5; ++c)
      EXPECT_LE(removal.error[1], loss_without(reader, {c}) + 1e-12) << "seed " << seed;
  }
}

TEST(ChannelSelection, lets_copies_and_dead_channels_go_first_where_the_norm_keeps_them) {
  MatrixXd x = samples(6, 3);
  x.row(4) = x.row(1);        // a copy
  x.row(5).setConstant(0.7);  // never changes: the bias can say it
  RowMatrix weight = random_matrix(5, 7, 4);
  weight.leftCols(4) *= 0.5;
  weight.middleCols(4, 2) *= 20;
  weight.col(1) *= 20;
  const Reader reader = reader_of(x, weight, 1);
  const Removal removal = choose_removal({reader}, 6, {2}, 1e-7, [](double) {});
  EXPECT_THAT(removal.order, testing::UnorderedElementsAre(5u, testing::AnyOf(1u, 4u)));
  EXPECT_LT(removal.error[2], 1e-5);
  const Removal by_norm = choose_by_norm({reader}, 6, {2});
  EXPECT_THAT(by_norm.order, testing::Not(testing::Contains(5u)));
}

TEST(ChannelSelection, counts_a_reader_that_may_not_change_as_it_is) {
  Reader reader = reader_of(samples(4, 5), random_matrix(3, 5, 6), 1);
  reader.refits = reader.moves_bias = false;
  const Removal removal = choose_removal({reader}, 4, {1, 2}, kDamping, [](double) {});
  const MatrixXd lost =
      reader.weight(Eigen::all, std::vector<Index>{static_cast<Index>(removal.order[0]),
                                                   static_cast<Index>(removal.order[1])});
  const std::vector<Index> gone = {static_cast<Index>(removal.order[0]),
                                   static_cast<Index>(removal.order[1])};
  const MatrixXd block = reader.gram(gone, gone);
  const Eigen::VectorXd means = reader.gram.col(4).head(4);
  const MatrixXd centered = reader.gram.topLeftCorner(4, 4) - means * means.transpose();
  const MatrixXd weight = reader.weight.leftCols(4);
  EXPECT_NEAR(
      removal.error[2],
      (lost * block).cwiseProduct(lost).sum() / (weight * centered).cwiseProduct(weight).sum(),
      1e-9);
  EXPECT_EQ(removal.weights[1][0].size(), 0);
}

TEST(ChannelFit, is_the_best_on_what_remains) {
  const MatrixXd x = samples(8, 7);
  const RowMatrix weight = random_matrix(3, 9, 8);
  const pruning::RefitProblem problem{.gram = x * x.transpose() / 200.0,
                                      .dense = weight,
                                      .answers = weight * x * x.transpose() / 200.0};
  Remains remains{.columns = {1, 1, 0, 1, 0, 1, 1, 1}, .rows = {1, 0, 1}};
  const RowMatrix fitted = fit(problem, weight, remains, 0, pruning::on_this_thread());
  for (const Index gone : {2, 4}) EXPECT_TRUE((fitted.col(gone).array() == 0).all());
  EXPECT_TRUE((fitted.row(1).array() == 0).all());
  const double best = loss(problem, fitted, remains);
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    RowMatrix other = fitted + 1e-3 * random_matrix(3, 9, seed);
    for (const Index gone : {2, 4}) other.col(gone).setZero();
    EXPECT_GT(loss(problem, other, remains), best);
  }
  // The same with a mask that an earlier stage left.
  remains.keep = MaskMatrix::Ones(3, 8);
  remains.keep(0, 0) = 0;
  const RowMatrix masked = fit(problem, weight, remains, 0, pruning::on_this_thread());
  EXPECT_EQ(masked(0, 0), 0);
  EXPECT_TRUE(masked.row(2).isApprox(fitted.row(2), 1e-9));
}

/// Three layers one behind the other: group 0 between the first two, group 1 behind them.
Cost chain_cost() {
  const auto axis = [](std::int64_t size, std::uint32_t group) {
    return LayerCost::Axis{.size = size, .shares = {{.group = group, .span = 1}}};
  };
  return {.fixed = 10,
          .layers = {{.macs_of_weight = 9, .axes = {axis(8, 0), {.size = 3, .shares = {}}}},
                     {.macs_of_weight = 4, .axes = {axis(8, 1), axis(8, 0)}},
                     {.macs_of_weight = 1, .axes = {{.size = 5, .shares = {}}, axis(8, 1)}}}};
}

TEST(ChannelAllocation, is_that_of_an_exhaustive_search) {
  std::mt19937_64 random(3);
  std::uniform_real_distribution<double> uniform(0.01, 1);
  const Cost cost = chain_cost();
  const double all = cost.of({0, 0});
  for (int round = 0; round < 30; ++round) {
    std::vector<Choices> groups(2);
    for (Choices& group : groups) {
      double error = 0;
      for (std::uint32_t leaving = 0; leaving < 8; ++leaving) {
        group.leaving.push_back(leaving);
        group.error.push_back(error);
        error += uniform(random);
      }
    }
    const double budget = all * 0.5;
    double least = 1e9;
    for (std::uint32_t a = 0; a < 8; ++a)
      for (std::uint32_t b = 0; b < 8; ++b)
        if (cost.of({a, b}) <= budget)
          least = std::min(least, groups[0].error[a] + groups[1].error[b]);
    const Counts found = allocate(groups, cost, budget);
    EXPECT_LE(cost.of(found), budget);
    EXPECT_NEAR(groups[0].error[found[0]] + groups[1].error[found[1]], least, 1e-12);
  }
}

TEST(ChannelAllocation, trials_go_where_the_truth_is_better_within_the_budget) {
  const std::vector<Choices> groups(2, {.leaving = {0, 2, 4, 6}, .error = {0, 1, 2, 3}});
  const Cost cost = chain_cost();
  const double budget = cost.of({4, 4});
  int trials = 0;
  // The truth: the first group loses nothing, the second all.
  const auto loss = [&](const Counts& leaving) { return ++trials, double(leaving[1]); };
  const Counts found = improve(groups, cost, budget, {4, 4}, 4, 100, loss);
  EXPECT_LT(found[1], 4u);
  EXPECT_LE(cost.of(found), budget);
  trials = 0;
  improve(groups, cost, budget, {4, 4}, 4, 1, loss);
  EXPECT_LE(trials, 1);
}

TEST(ChannelAllocation, of_the_same_share_reaches_the_budget) {
  const std::vector<Choices> groups(2, {.leaving = {0, 2, 4, 6}, .error = {0, 1, 2, 3}});
  const Cost cost = chain_cost();
  EXPECT_THAT(allocate_uniformly(groups, cost, cost.of({4, 4})), ElementsAre(4, 4));
  EXPECT_THAT(allocate_uniformly(groups, cost, cost.of({0, 0})), ElementsAre(0, 0));
}

}  // namespace
}  // namespace channel
