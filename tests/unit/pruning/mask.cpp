#include "plugins/pruning/mask.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

namespace pruning {
namespace {

using ::testing::HasSubstr;

Layer conv(std::int64_t outputs, std::int64_t channels, std::int64_t positions) {
  Layer layer;
  layer.rows = outputs;
  layer.columns = channels * positions;
  layer.positions = positions;
  layer.row_stride = layer.columns;
  layer.column_stride = 1;
  return layer;
}

/// A MatMul's weight: a column of it in memory is an input.
Layer matmul(std::int64_t outputs, std::int64_t channels) {
  Layer layer = conv(outputs, channels, 1);
  layer.row_stride = 1;
  layer.column_stride = outputs;
  return layer;
}

std::vector<double> random_scores(const Layer& layer) {
  std::mt19937 random(1);
  std::uniform_real_distribution<double> uniform;
  std::vector<double> scores(static_cast<std::size_t>(layer.count()));
  for (double& score : scores) score = uniform(random);
  return scores;
}

std::int64_t kept(const std::vector<std::uint8_t>& keep) {
  return std::accumulate(keep.begin(), keep.end(), std::int64_t{0});
}

TEST(Mask, unstructured_prunes_exactly_the_asked_number) {
  const Layer layer = conv(7, 5, 9);  // 315 weights
  for (const double sparsity : {0.0, 0.1, 0.5, 0.7, 0.99})
    EXPECT_EQ(kept(choose_mask(layer, {.sparsity = sparsity}, random_scores(layer), {})),
              315 - std::llround(sparsity * 315));
}

TEST(Mask, unstructured_keeps_the_highest) {
  const std::vector<double> scores = {0.5, 0.1, 0.4, 0.2};
  EXPECT_EQ(choose_mask(conv(2, 2, 1), {.sparsity = 0.5}, scores, {}),
            (std::vector<std::uint8_t>{1, 0, 1, 0}));
}

TEST(Mask, of_equal_scores_keeps_the_first_in_memory) {
  const std::vector<double> scores(8, 0.5);
  EXPECT_EQ(choose_mask(conv(2, 4, 1), {.sparsity = 0.5}, scores, {}),
            (std::vector<std::uint8_t>{1, 1, 1, 1, 0, 0, 0, 0}));
  EXPECT_EQ(choose_mask(conv(2, 4, 1), {.kept = 1, .group = 2}, scores, {}),
            (std::vector<std::uint8_t>{1, 0, 1, 0, 1, 0, 1, 0}));
}

TEST(Mask, of_scores_near_and_far_apart_keeps_those_that_sorting_would) {
  const Layer layer = conv(200, 250, 1);
  std::mt19937 random(3);
  std::normal_distribution<double> normal;
  std::vector<double> scores;
  for (int i = 0; i < 50000; ++i) {
    const double score = std::exp(8 * normal(random));
    scores.push_back(i % 7 == 0 ? 0 : i % 5 == 0 ? 1 + 1e-9 * (i % 3) : score);
  }
  for (const double sparsity : {0.001, 0.3, 0.45, 0.6, 0.999}) {
    std::vector<std::size_t> order(scores.size());
    std::iota(order.begin(), order.end(), 0);
    std::ranges::stable_sort(order, [&](auto a, auto b) { return scores[a] > scores[b]; });
    std::vector<std::uint8_t> expected(scores.size(), 0);
    for (std::size_t i = 0; i < 50000 - static_cast<std::size_t>(std::lround(sparsity * 50000));
         ++i)
      expected[order[i]] = 1;
    EXPECT_EQ(choose_mask(layer, {.sparsity = sparsity}, scores, {}), expected) << sparsity;
  }
}

TEST(Mask, n_of_m_runs_along_input_channels_at_one_kernel_position) {
  const Layer layer = conv(6, 32, 9);
  const std::vector<double> scores = random_scores(layer);
  const auto keep = choose_mask(layer, {.kept = 4, .group = 16}, scores, {});
  for (std::int64_t row = 0; row < 6; ++row)
    for (std::int64_t position = 0; position < 9; ++position)
      for (std::int64_t first = 0; first < 32; first += 16) {
        std::int64_t count = 0;
        double lowest_kept = 1, highest_pruned = 0;
        for (std::int64_t channel = first; channel < first + 16; ++channel) {
          const auto i = static_cast<std::size_t>((row * 32 + channel) * 9 + position);
          count += keep[i];
          if (keep[i])
            lowest_kept = std::min(lowest_kept, scores[i]);
          else
            highest_pruned = std::max(highest_pruned, scores[i]);
        }
        EXPECT_EQ(count, 4);
        EXPECT_GE(lowest_kept, highest_pruned);
      }
}

TEST(Mask, n_of_m_of_a_matmul_runs_along_its_inputs) {
  const Layer layer = matmul(3, 8);
  const auto keep = choose_mask(layer, {.kept = 1, .group = 4}, random_scores(layer), {});
  for (std::size_t output = 0; output < 3; ++output)
    for (std::size_t first : {0u, 4u}) {
      int count = 0;
      for (std::size_t input = first; input < first + 4; ++input) count += keep[input * 3 + output];
      EXPECT_EQ(count, 1);
    }
}

TEST(Mask, n_of_m_gives_a_smaller_last_group_its_share_and_at_least_one) {
  const Layer layer = conv(1, 22, 1);  // groups of 16 and 6
  const auto scores = random_scores(layer);
  auto keep = choose_mask(layer, {.kept = 8, .group = 16}, scores, {});
  EXPECT_EQ(kept(keep), 8 + 3);
  keep = choose_mask(layer, {.kept = 1, .group = 16}, scores, {});
  EXPECT_EQ(kept(keep), 1 + 1);
}

TEST(Mask, n_of_m_refuses_a_layer_with_fewer_channels_than_a_group) {
  const Layer layer = conv(4, 3, 9);
  try {
    choose_mask(layer, {.kept = 4, .group = 16}, random_scores(layer), {});
    FAIL() << "no error";
  } catch (const adze::Error& error) {
    EXPECT_EQ(error.code, ADZE_INVALID_ARGUMENT);
    EXPECT_THAT(error.what(),
                HasSubstr("3 input channels, fewer than a group of the pattern (16)"));
  }
}

TEST(Mask, blocks_along_input_channels_leave_whole_at_one_kernel_position) {
  const Layer layer = conv(4, 8, 9);
  const auto keep =
      choose_mask(layer, {.sparsity = 0.5, .block_inputs = 4}, random_scores(layer), {});
  EXPECT_EQ(kept(keep), 4 * 8 * 9 / 2);
  for (std::int64_t row = 0; row < 4; ++row)
    for (std::int64_t position = 0; position < 9; ++position)
      for (std::int64_t first : {0, 4})
        for (std::int64_t channel = first; channel < first + 4; ++channel)
          EXPECT_EQ(keep[layer.index(row, channel * 9 + position)],
                    keep[layer.index(row, first * 9 + position)]);
}

TEST(Mask, blocks_along_outputs_keep_the_highest_mean_and_may_end_short) {
  const Layer layer = conv(3, 2, 1);  // rows 0 and 1 are one block, row 2 is one of its own
  const std::vector<double> scores = {0.1, 0.9, 0.1, 0.2, 0.5, 0.3};
  EXPECT_EQ(choose_mask(layer, {.sparsity = 0.5, .block_outputs = 2}, scores, {}),
            (std::vector<std::uint8_t>{0, 1, 0, 1, 1, 0}));
}

TEST(Mask, blocks_refuse_a_layer_that_holds_none) {
  EXPECT_THROW(choose_mask(conv(4, 3, 9), {.sparsity = 0.5, .block_inputs = 4},
                           random_scores(conv(4, 3, 9)), {}),
               adze::Error);
  EXPECT_THROW(choose_mask(conv(4, 3, 9), {.sparsity = 0.5, .block_outputs = 8},
                           random_scores(conv(4, 3, 9)), {}),
               adze::Error);
}

TEST(Mask, what_an_earlier_stage_pruned_stays_pruned_and_counts) {
  const std::vector<double> scores = {0.9, 0.8, 0.7, 0.6};
  const std::vector<std::uint8_t> earlier = {0, 1, 1, 1};
  EXPECT_EQ(choose_mask(conv(1, 4, 1), {.sparsity = 0.5}, scores, earlier),
            (std::vector<std::uint8_t>{0, 1, 1, 0}));
  EXPECT_EQ(choose_mask(conv(1, 4, 1), {.sparsity = 0.0}, scores, earlier), earlier);
}

}  // namespace
}  // namespace pruning
