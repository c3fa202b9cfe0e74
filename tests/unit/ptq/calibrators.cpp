#include "plugins/ptq/calibrators.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace ptq {
namespace {

/// Of a bell around 0 with the deviation 1, and a few outliers at `outlier`.
Histogram bell_with_outliers(double low, double outlier) {
  Histogram histogram{low, outlier, std::vector<double>(2048, 0)};
  for (std::size_t bin = 0; bin < histogram.counts.size(); ++bin) {
    const double x = histogram.middle(bin);
    histogram.counts[bin] = std::floor(1e6 * histogram.width() * std::exp(-x * x / 2));
  }
  histogram.counts.back() += 3;
  return histogram;
}

TEST(PercentileRange, leaves_out_what_it_is_told_to) {
  Histogram histogram{0, 100, std::vector<double>(100, 10)};
  EXPECT_NEAR(percentile_range(histogram, 90).high, 90, 1.01);
  EXPECT_EQ(percentile_range(histogram, 90).low, 0);
  EXPECT_EQ(percentile_range(histogram, 100).high, 100);
}

TEST(PercentileRange, shares_what_is_left_out_between_both_ends) {
  Histogram histogram{-50, 50, std::vector<double>(100, 10)};
  const Range range = percentile_range(histogram, 90);
  EXPECT_NEAR(range.low, -45, 1.01);
  EXPECT_NEAR(range.high, 45, 1.01);
}

TEST(PercentileRange, clips_outliers_but_not_the_bell) {
  const Range range = percentile_range(bell_with_outliers(0, 40), 99.99);
  EXPECT_LT(range.high, 6);
  EXPECT_GT(range.high, 3);
}

TEST(MseRange, clips_a_rare_outlier_and_no_more) {
  const Range range = mse_range(bell_with_outliers(0, 40), ZeroPoint::symmetric, 8);
  EXPECT_LT(range.high, 30);
  EXPECT_GT(range.high, 3);
}

TEST(MseRange, is_never_worse_than_the_whole_range) {
  for (const double outlier : {4.0, 10.0, 40.0, 400.0})
    for (const ZeroPoint zero : {ZeroPoint::symmetric, ZeroPoint::affine})
      for (const double low : {-4.0, 0.0}) {
        const Histogram histogram = bell_with_outliers(low, outlier);
        const Range range = mse_range(histogram, zero, 8);
        EXPECT_LE(squared_error(histogram, activation_grid(range.low, range.high, zero, 8), 8),
                  squared_error(histogram, activation_grid(low, outlier, zero, 8), 8));
      }
}

TEST(MseRange, of_seven_bits_clips_more_than_of_eight) {
  const Histogram histogram = bell_with_outliers(0, 12);
  EXPECT_LE(mse_range(histogram, ZeroPoint::symmetric, 7).high,
            mse_range(histogram, ZeroPoint::symmetric, 8).high);
}

TEST(MseRange, lets_go_of_a_small_negative_tail_where_that_doubles_the_steps) {
  Histogram histogram{-0.01, 4, std::vector<double>(2048, 100)};
  const Range range = mse_range(histogram, ZeroPoint::symmetric, 8);
  EXPECT_EQ(range.low, 0);
  EXPECT_EQ(activation_grid(range.low, range.high, ZeroPoint::symmetric, 8).zero_point, 0);
}

TEST(EntropyRange, clips_a_far_outlier) {
  const Range range = entropy_range(bell_with_outliers(0, 40), 8);
  EXPECT_LT(range.high, 20);
  EXPECT_GT(range.high, 2);
}

TEST(EntropyRange, keeps_all_of_an_even_distribution) {
  const Histogram histogram{0, 1, std::vector<double>(2048, 50)};
  EXPECT_NEAR(entropy_range(histogram, 8).high, 1, 0.01);
}

TEST(EntropyRange, stays_within_what_was_seen) {
  const Histogram histogram = bell_with_outliers(-1, 9);
  const Range range = entropy_range(histogram, 8);
  EXPECT_GE(range.low, -1);
  EXPECT_LE(range.high, 9);
}

}  // namespace
}  // namespace ptq
