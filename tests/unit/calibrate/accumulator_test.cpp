#include "host/calibrate/accumulator.hpp"

#include <cmath>

#include "host/base/error.hpp"
#include "tests/unit/calibrate/graphs.hpp"

namespace adze::host {
namespace {

using test::one_node;
using test::random_tensor;

void add(Accumulator& to, const Tensor& x) {
  const Activation sample[] = {{x.as<float>(), &x.shape()}};
  to.add(sample);
}

Tensor row(std::vector<float> elements, Shape shape = {}) {
  if (shape.empty()) shape = {1, static_cast<std::int64_t>(elements.size())};
  return {DType::f32, std::move(shape), std::span<const float>(elements)};
}

TEST(RangeStatistic, has_the_smallest_and_largest_element_and_no_data) {
  const auto range = make_range();
  add(*range, row({1, -2}));
  add(*range, row({5}));
  const Statistic statistic = range->finish();
  EXPECT_EQ(statistic.terms, 3);
  EXPECT_EQ(statistic.range.low, -2);
  EXPECT_EQ(statistic.range.high, 5);
  EXPECT_FALSE(statistic.data);
}

TEST(Histogram, counts_in_equal_parts_and_puts_the_top_into_the_last) {
  const auto histogram = make_histogram(4, {0, 8});
  add(*histogram, row({0, 1.9f, 2, 3, 6, 8, -1, 9}));
  const Statistic statistic = histogram->finish();
  EXPECT_THAT(statistic.data->as<double>(), testing::ElementsAre(3, 2, 0, 3));
  EXPECT_EQ(statistic.terms, 8);
}

TEST(Histogram, of_a_constant_is_all_in_the_first_bin) {
  const auto histogram = make_histogram(3, {5, 5});
  add(*histogram, row({5, 5}));
  EXPECT_THAT(histogram->finish().data->as<double>(), testing::ElementsAre(2, 0, 0));
}

TEST(ChannelStatistics, stay_exact_when_the_mean_is_large) {
  const auto channels = make_channels("v");
  // Channel 0: 1e6 + {0, 1, 2, 3}; channel 1: {-1, 1, -1, 1}.
  add(*channels, row({1e6f, 1e6f + 1, -1, 1}, {1, 2, 2}));
  add(*channels, row({1e6f + 2, 1e6f + 3, -1, 1}, {1, 2, 2}));
  const Statistic statistic = channels->finish();
  EXPECT_EQ(statistic.data->shape(), (Shape{2, 4}));
  EXPECT_THAT(statistic.data->as<double>(),
              testing::ElementsAre(1e6, 1e6 + 3, 1e6 + 1.5, 1.25, -1, 1, 0, 1));
  EXPECT_EQ(statistic.terms, 4);
  EXPECT_EQ(statistic.range.high, 1e6 + 3);
}

TEST(ChannelStatistics, need_channels) {
  const auto channels = make_channels("v");
  EXPECT_THROW(add(*channels, row({1, 2}, {2})), Error);
}

TEST(SampleStatistics, are_the_tensors_in_order) {
  const auto batched = make_samples("v", 2, true, 1 << 20);
  add(*batched, row({1, 2}, {1, 2}));
  add(*batched, row({3, 4}, {1, 2}));
  const Statistic statistic = batched->finish();
  EXPECT_EQ(statistic.data->shape(), (Shape{2, 2}));
  EXPECT_THAT(statistic.data->as<float>(), testing::ElementsAre(1, 2, 3, 4));

  const auto whole = make_samples("v", 1, false, 1 << 20);
  add(*whole, row({1, 2}, {2, 1}));
  EXPECT_EQ(whole->finish().data->shape(), (Shape{1, 2, 1}));

  const auto large = make_samples("v", 1000, true, 1 << 10);
  EXPECT_THROW(add(*large, row({1, 2})), Error);
}

// What the block-wise sums must come to, in double precision throughout.
std::vector<double> gram_by_definition(const Unfold& unfold, const std::vector<Tensor>& samples) {
  const auto rows = static_cast<std::size_t>(unfold.rows());
  const auto groups = static_cast<std::size_t>(unfold.groups());
  std::vector<double> gram(groups * rows * rows);
  std::size_t columns = 0;
  for (const Tensor& x : samples) {
    const std::int64_t positions = unfold.positions(x.shape());
    const auto stride = static_cast<std::size_t>(positions);
    std::vector<float> block(groups * rows * stride);
    unfold.fill(x.as<float>(), x.shape(), 0, positions, block.data(), positions);
    for (std::size_t g = 0; g < groups; ++g)
      for (std::size_t i = 0; i < rows; ++i)
        for (std::size_t j = 0; j < rows; ++j)
          for (std::size_t c = 0; c < stride; ++c)
            gram[(g * rows + i) * rows + j] +=
                double{block[(g * rows + i) * stride + c]} * block[(g * rows + j) * stride + c];
    columns += stride;
  }
  for (double& sum : gram) sum /= static_cast<double>(columns);
  return gram;
}

TEST(Gram, is_the_mean_of_the_outer_products_of_columns_with_a_one) {
  // 9 x 9 positions of 60 samples: more than one block, and none of them ends with a sample.
  for (const std::int64_t groups : {1, 2}) {
    const Unfold unfold(one_node("Conv", {1, 4, 9, 9}, {2, 4 / groups, 3, 3},
                                 {{"group", groups}, {"pads", std::vector<std::int64_t>(4, 1)}}),
                        0);
    std::vector<Tensor> samples;
    for (std::uint64_t i = 0; i < 60; ++i) samples.push_back(random_tensor({1, 4, 9, 9}, i));
    const auto gram = make_gram(unfold);
    for (const Tensor& sample : samples) add(*gram, sample);
    const Statistic statistic = gram->finish();
    EXPECT_EQ(statistic.terms, 60 * 81);
    EXPECT_EQ(statistic.data->shape(), (Shape{groups, unfold.rows(), unfold.rows()}));
    const std::vector<double> expected = gram_by_definition(unfold, samples);
    double worst = 0;
    for (std::size_t i = 0; i < expected.size(); ++i)
      worst = std::max(worst, std::abs(statistic.data->as<double>()[i] - expected[i]));
    EXPECT_LT(worst, 1e-6);
    EXPECT_EQ(statistic.data->as<double>().back(), 1);
  }
}

TEST(Gram, of_nothing_is_zero) {
  const Unfold unfold(one_node("MatMul", {1, 2}, {2, 3}), 0);
  const Statistic statistic = make_gram(unfold)->finish();
  EXPECT_THAT(statistic.data->as<double>(), testing::Each(0));
  EXPECT_EQ(statistic.terms, 0);
}

TEST(Cross, is_the_mean_of_products_of_outputs_and_columns) {
  const Unfold unfold(one_node("Conv", {1, 4, 5, 5}, {6, 2, 3, 3}, {{"group", std::int64_t{2}}}),
                      0);
  const auto cross = make_cross(unfold, "y");
  std::vector<double> expected(6 * 19);
  for (std::uint64_t i = 0; i < 3; ++i) {
    const Tensor x = random_tensor({1, 4, 5, 5}, i), y = random_tensor({1, 6, 3, 3}, 50 + i);
    const Activation sample[] = {{x.as<float>(), &x.shape()}, {y.as<float>(), &y.shape()}};
    cross->add(sample);
    std::vector<float> block(2 * 19 * 9);
    unfold.fill(x.as<float>(), x.shape(), 0, 9, block.data(), 9);
    for (std::size_t c = 0; c < 6; ++c)
      for (std::size_t r = 0; r < 19; ++r)
        for (std::size_t p = 0; p < 9; ++p)
          expected[c * 19 + r] +=
              double{y.as<float>()[c * 9 + p]} * block[(c / 3 * 19 + r) * 9 + p] / 27;
  }
  const Statistic statistic = cross->finish();
  EXPECT_EQ(statistic.data->shape(), (Shape{6, 19}));
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(statistic.data->as<double>()[i], expected[i], 1e-6);
}

TEST(Cross, of_a_matmul_takes_channels_from_the_last_axis) {
  const Unfold unfold(one_node("MatMul", {1, 2, 2}, {2, 3}), 0);
  const auto cross = make_cross(unfold, "y");
  const Tensor x = row({1, 2, 3, 4}, {1, 2, 2}), y = row({1, 0, 2, 0, 1, 0}, {1, 2, 3});
  const Activation sample[] = {{x.as<float>(), &x.shape()}, {y.as<float>(), &y.shape()}};
  cross->add(sample);
  EXPECT_THAT(cross->finish().data->as<double>(),
              testing::ElementsAre(0.5, 1, 0.5, 1.5, 2, 0.5, 1, 2, 1));
}

TEST(Cross, refuses_a_value_with_other_positions) {
  const Unfold unfold(one_node("Conv", {1, 1, 5, 5}, {1, 1, 3, 3}), 0);
  const auto cross = make_cross(unfold, "other");
  const Tensor x = random_tensor({1, 1, 5, 5}, 1), y = random_tensor({1, 2, 5, 5}, 2);
  const Activation sample[] = {{x.as<float>(), &x.shape()}, {y.as<float>(), &y.shape()}};
  try {
    cross->add(sample);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("value 'other' (1x2x5x5)"));
  }
}

}  // namespace
}  // namespace adze::host
