#include "plugins/quantization/grid.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace ptq {
namespace {

TEST(ActivationGrid, starts_at_zero_when_nothing_is_negative) {
  const Grid grid = activation_grid(0.5, 5.1, ZeroPoint::symmetric, 8);
  EXPECT_EQ(grid.zero_point, 0);
  EXPECT_FLOAT_EQ(grid.scale, 5.1f / 255);
}

TEST(ActivationGrid, has_its_zero_in_the_middle_when_something_is_negative) {
  const Grid grid = activation_grid(-0.64, 1.27, ZeroPoint::symmetric, 8);
  EXPECT_EQ(grid.zero_point, 128);
  EXPECT_FLOAT_EQ(grid.scale, 1.27f / 127);
  EXPECT_FLOAT_EQ(activation_grid(-2.56, 1.27, ZeroPoint::symmetric, 8).scale, 2.56f / 128);
}

TEST(ActivationGrid, of_7_bits_has_half_the_levels) {
  EXPECT_FLOAT_EQ(activation_grid(0, 1.27, ZeroPoint::symmetric, 7).scale, 0.01f);
  const Grid grid = activation_grid(-0.64, 0.1, ZeroPoint::symmetric, 7);
  EXPECT_EQ(grid.zero_point, 64);
  EXPECT_FLOAT_EQ(grid.scale, 0.01f);
}

TEST(ActivationGrid, affine_uses_every_level) {
  const Grid grid = activation_grid(-0.5, 2.05, ZeroPoint::affine, 8);
  EXPECT_FLOAT_EQ(grid.scale, 0.01f);
  EXPECT_EQ(grid.zero_point, 50);
  EXPECT_EQ(activation_grid(-1, -0.5, ZeroPoint::affine, 8).zero_point, 255);
}

TEST(ActivationGrid, holds_both_ends_of_its_range) {
  for (const double high : {6.0, 0.1, 1e-3, 3.3333333, 123456.789}) {
    const Grid grid = activation_grid(0, high, ZeroPoint::symmetric, 8);
    EXPECT_GE(static_cast<double>(grid.scale) * 255, high);
  }
}

TEST(ActivationGrid, of_nothing_but_zero_is_usable) {
  const Grid grid = activation_grid(0, 0, ZeroPoint::symmetric, 8);
  EXPECT_EQ(grid.scale, 1);
  EXPECT_EQ(grid.zero_point, 0);
  EXPECT_GT(activation_grid(0, 1e-300, ZeroPoint::symmetric, 8).scale, 0);
}

TEST(WeightScales, put_the_largest_of_each_channel_at_127) {
  const std::vector<double> magnitudes = {1.27, 0.127};
  const auto scales = weight_scales(magnitudes, {}, 1);
  EXPECT_FLOAT_EQ(scales[0], 0.01f);
  EXPECT_FLOAT_EQ(scales[1], 0.001f);
}

TEST(WeightScales, of_a_fully_pruned_channel_still_resolve_its_bias) {
  const std::vector<double> magnitudes = {1.27, 0};
  const std::vector<float> biases = {0, 0.5};
  const auto scales = weight_scales(magnitudes, biases, 0.1);
  EXPECT_FLOAT_EQ(scales[1], 0.01f);
}

TEST(WeightScales, are_large_enough_for_the_bias_to_fit_into_32_bits) {
  const std::vector<double> magnitudes = {1e-9, 1.27};
  const std::vector<float> biases = {100.0f, 100.0f};
  const double input_scale = 0.01;
  for (const float scale : weight_scales(magnitudes, biases, input_scale))
    EXPECT_LT(100 / (input_scale * static_cast<double>(scale)), std::pow(2.0, 31));
}

}  // namespace
}  // namespace ptq
