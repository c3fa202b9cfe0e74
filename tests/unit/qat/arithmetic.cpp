// Rounding, its gradients, the optimizer, and the file of a checkpoint.
#include <gmock/gmock.h>

#include <adze/adze.hpp>
#include <cmath>
#include <fstream>
#include <random>

#include "host/base/file.hpp"
#include "plugins/qat/average.hpp"
#include "plugins/qat/checkpoint.hpp"
#include "plugins/qat/fake_quant.hpp"
#include "plugins/qat/optimizer.hpp"

namespace qat {
namespace {

using testing::HasSubstr;

std::vector<float> numbers(std::size_t count, float spread) {
  std::mt19937 random(5);
  std::normal_distribution<float> normal(0, spread);
  std::vector<float> made(count);
  for (float& one : made) one = normal(random);
  return made;
}

TEST(FakeQuant, rounds_half_to_even_and_saturates) {
  const std::vector<float> x = {-9, -1.25F, -0.25F, 0, 0.24F, 0.25F, 0.75F, 1.25F, 99};
  std::vector<float> y(x.size());
  round_to_grid(x.data(), y.data(), x.size(), {0.5F, -3, 4});
  EXPECT_EQ(y, (std::vector<float>{-1.5F, -1, 0, 0, 0, 0, 1, 1, 2}));
}

TEST(FakeQuant, gradient_passes_inside_the_grid_and_stops_outside) {
  const std::vector<float> x = numbers(1003, 1), upstream = numbers(1003, 2);
  const Levels levels{0.05F, -10, 20};
  std::vector<float> of_x(x.size());
  const double of_scale =
      gradient_of_rounding(x.data(), upstream.data(), of_x.data(), x.size(), levels);
  double wanted = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double quotient = static_cast<double>(x[i] / levels.scale);
    const bool inside = quotient >= -10 && quotient <= 20;
    EXPECT_EQ(of_x[i], inside ? upstream[i] : 0.0F);
    const double slope = quotient < -10  ? -10
                         : quotient > 20 ? 20
                                         : std::nearbyint(quotient) - quotient;
    wanted += static_cast<double>(upstream[i]) * slope;
  }
  EXPECT_NEAR(of_scale, wanted, 1e-3 * std::abs(wanted) + 1e-3);
}

TEST(FakeQuant, gradient_of_the_scale_is_the_slope_of_what_is_clipped) {
  const std::vector<float> x = {3, 5, -4}, upstream = {1, 2, -0.5F};
  const auto sum = [&](float scale) {
    std::vector<float> y(x.size());
    round_to_grid(x.data(), y.data(), x.size(), {scale, -8, 7});
    double total = 0;
    for (std::size_t i = 0; i < x.size(); ++i) total += static_cast<double>(y[i] * upstream[i]);
    return total;
  };
  std::vector<float> of_x(x.size());
  const double found =
      gradient_of_rounding(x.data(), upstream.data(), of_x.data(), x.size(), {0.25F, -8, 7});
  EXPECT_NEAR(found, (sum(0.2505F) - sum(0.2495F)) / 0.001, 1e-2);
  EXPECT_EQ(of_x, (std::vector<float>{0, 0, 0}));
}

TEST(Optimizer, adam_takes_the_steps_of_its_paper) {
  std::vector<float> w = {1, -2};
  Moments moments;
  double x = 1, first = 0, second = 0;
  for (std::uint64_t step = 1; step <= 5; ++step) {
    const float gradient = 0.3F * static_cast<float>(step);
    const std::vector<float> gradients = {gradient, gradient};
    update(Rule::adam, w, gradients, {}, moments, step, 0.1);
    first = 0.9 * first + 0.1 * static_cast<double>(gradient);
    second = 0.999 * second + 0.001 * static_cast<double>(gradient * gradient);
    const auto n = static_cast<double>(step);
    x -= 0.1 * first / (1 - std::pow(0.9, n)) /
         (std::sqrt(second / (1 - std::pow(0.999, n))) + 1e-8);
  }
  EXPECT_NEAR(w[0], x, 1e-5);
  EXPECT_NEAR(w[1], x - 3, 1e-5);
}

TEST(Optimizer, a_masked_element_is_exactly_zero_after_each_step) {
  for (const Rule rule : {Rule::adam, Rule::sgd}) {
    std::vector<float> w = {0, 1, 0};
    const std::vector<std::uint8_t> keep = {0, 1, 0};
    Moments moments;
    for (std::uint64_t step = 1; step < 4; ++step) {
      update(rule, w, std::vector<float>{1, 1, -1}, keep, moments, step, 0.1);
      EXPECT_EQ(w[0], 0.0F);
      EXPECT_EQ(w[2], 0.0F);
      EXPECT_NE(w[1], 1.0F);
    }
    const std::vector<float> before = w;
    update(rule, w, {}, keep, moments, 4, 0.1);
    EXPECT_EQ(w, before) << "no gradient, no step";
  }
}

TEST(Average, follows_the_weights_and_is_exchanged_with_them) {
  std::vector<float> w = {8, 0}, range = {-1, 1};
  std::vector<Parameter> all(2);
  all[0].elements = w;
  all[1].kind = Parameter::Kind::range;
  all[1].elements = range;
  Average average(0.75);
  EXPECT_TRUE(average.empty());
  average.add(all);
  w = {16, 0};
  range = {-2, 2};
  average.add(all);
  average.exchange(all);
  EXPECT_EQ(w, (std::vector<float>{10, 0})) << "what is pruned stays so";
  EXPECT_EQ(range, (std::vector<float>{-2, 2})) << "ranges are averages by themselves";
  average.exchange(all);
  EXPECT_EQ(w, (std::vector<float>{16, 0}));
  Average none(0);
  none.add(all);
  EXPECT_TRUE(none.empty());
}

TEST(Checkpoint, comes_back_as_it_was_and_refuses_damage) {
  const adze::host::TemporaryDirectory folder;
  const std::string file = folder.path() / "state";
  EXPECT_FALSE(load(file));
  const Checkpoint made{7, {{"step", 3}}, {{"best", -0.25}}, {{"w", {1, 2, 3}}, {"none", {}}}};
  save(made, file);
  const auto found = load(file);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->training, 7u);
  EXPECT_EQ(found->counters, made.counters);
  EXPECT_EQ(found->numbers, made.numbers);
  EXPECT_EQ(found->arrays, made.arrays);

  std::string bytes = adze::host::read_text_file(file);
  for (const std::size_t at : {std::size_t{3}, std::size_t{12}, bytes.size() / 2}) {
    std::string broken = bytes;
    broken[at] = static_cast<char>(broken[at] ^ 1);
    std::ofstream(file, std::ios::binary) << broken;
    EXPECT_THROW(load(file), adze::Error) << at;
  }
  std::ofstream(file, std::ios::binary) << bytes.substr(0, bytes.size() - 5);
  try {
    load(file);
    ADD_FAILURE() << "cut off";
  } catch (const adze::Error& error) {
    EXPECT_EQ(error.code, ADZE_DATA_LOSS);
    EXPECT_THAT(error.what(), HasSubstr("delete it to start anew"));
  }
  EXPECT_THROW(save(made, folder.path() / "no" / "folder"), adze::Error);
}

}  // namespace
}  // namespace qat
