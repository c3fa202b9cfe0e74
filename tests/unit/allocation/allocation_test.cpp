#include "plugins/reconstruct/allocation.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <adze/adze.hpp>
#include <cmath>
#include <random>

#include "plugins/reconstruct/allocation_plan.hpp"
#include "plugins/reconstruct/allocation_rules.hpp"

namespace reconstruct {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Property;
using ::testing::Throws;

using Layers = std::vector<std::vector<Choice>>;

auto refused(const char* text) {
  return Throws<adze::Error>(Property(&adze::Error::what, HasSubstr(text)));
}

/// `whole`: costs that tie often.
Layers random_layers(std::size_t count, std::size_t choices, unsigned seed, bool whole) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> uniform;
  Layers layers(count);
  for (auto& layer : layers)
    for (std::size_t c = 0; c < choices; ++c) {
      const double cost = uniform(random) * 10, error = uniform(random);
      layer.push_back({whole ? std::round(error * 4) : error, whole ? std::round(cost) : cost});
    }
  return layers;
}

/// Tries every combination.
std::optional<Allocation> brute_force(const Layers& layers, double budget) {
  std::optional<Allocation> best;
  std::vector<std::size_t> chosen(layers.size(), 0);
  for (;;) {
    Allocation tried{.chosen = chosen};
    for (std::size_t l = 0; l < layers.size(); ++l) {
      tried.error += layers[l][chosen[l]].error;
      tried.cost += layers[l][chosen[l]].cost;
    }
    if (tried.cost <= budget &&
        (!best || std::pair(tried.error, tried.cost) < std::pair(best->error, best->cost)))
      best = tried;
    std::size_t l = 0;
    while (l < layers.size() && ++chosen[l] == layers[l].size()) chosen[l++] = 0;
    if (l == layers.size()) return best;
  }
}

TEST(Allocation, equals_brute_force) {
  for (unsigned seed = 0; seed < 60; ++seed) {
    const Layers layers = random_layers(1 + seed % 6, 1 + seed % 5, seed, seed % 2 == 0);
    const CostRange range = cost_range(layers);
    for (const double part : {-0.1, 0.0, 0.2, 0.5, 0.9, 1.0, 1.5}) {
      const double budget = range.low + part * (range.high - range.low);
      const auto expected = brute_force(layers, budget);
      const auto found = allocate(layers, budget);
      ASSERT_EQ(found.has_value(), expected.has_value()) << seed << " " << part;
      if (!found) continue;
      EXPECT_NEAR(found->error, expected->error, 1e-12) << seed << " " << part;
      EXPECT_NEAR(found->cost, expected->cost, 1e-12) << seed << " " << part;
      double error = 0, cost = 0;
      for (std::size_t l = 0; l < layers.size(); ++l) {
        error += layers[l][found->chosen[l]].error;
        cost += layers[l][found->chosen[l]].cost;
      }
      EXPECT_NEAR(found->error, error, 1e-12);
      EXPECT_LE(cost, budget + 1e-9);
    }
  }
}

TEST(Allocation, repeats_itself) {
  const Layers layers = random_layers(12, 9, 7, true);
  const double budget = cost_range(layers).low * 1.5 + 3;
  const auto first = allocate(layers, budget), second = allocate(layers, budget);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->chosen, second->chosen);
}

TEST(Allocation, with_few_states_is_no_worse_than_exact_with_a_slightly_smaller_budget) {
  for (unsigned seed = 0; seed < 10; ++seed) {
    const Layers layers = random_layers(10, 12, seed, false);
    const CostRange range = cost_range(layers);
    const double budget = range.low + 0.4 * (range.high - range.low);
    constexpr std::size_t kStates = 500;
    const auto thinned = allocate(layers, budget, kStates);
    const double cell = (range.high - range.low) / (kStates - 1);
    const auto exact = allocate(layers, budget - 10 * cell, std::size_t{1} << 22);
    ASSERT_TRUE(thinned && exact);
    EXPECT_LE(thinned->error, exact->error + 1e-12) << seed;
    EXPECT_LE(thinned->cost, budget);
  }
}

TEST(Allocation, the_least_possible_budget_is_met_with_any_number_of_states) {
  const Layers layers = random_layers(20, 8, 3, false);
  for (const std::size_t states : {2u, 16u, 8192u}) {
    const auto found = allocate(layers, cost_range(layers).low, states);
    ASSERT_TRUE(found) << states;
    EXPECT_NEAR(found->cost, cost_range(layers).low, 1e-9);
  }
}

TEST(Allocation, below_the_least_possible_there_is_none) {
  const Layers layers = random_layers(4, 4, 3, false);
  EXPECT_FALSE(allocate(layers, cost_range(layers).low - 1e-6));
}

TEST(Allocation, no_layers_cost_nothing) {
  const auto found = allocate({}, 0);
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->chosen.empty());
}

TEST(Allocation, refuses_figures_that_are_none) {
  const double nan = std::nan("");
  EXPECT_THAT([&] { allocate(Layers{{{nan, 1}}}, 1); }, refused("layer 0"));
  EXPECT_THAT([&] { allocate(Layers{{{0, 1}}, {{0, -1}}}, 1); }, refused("layer 1"));
  EXPECT_THAT([&] { allocate(Layers{{{0, 1}}, {}}, 1); }, refused("no level"));
  EXPECT_THAT([&] { allocate(Layers{{{0, 1}}}, nan); }, refused("budget"));
}

const std::vector<LayerSize> kSizes = {
    {.rows = 16, .channels = 16, .positions = 9, .sizes = 16 + 16 + 3 + 3},
    {.rows = 64, .channels = 64, .positions = 9, .sizes = 64 + 64 + 3 + 3},
    {.rows = 128, .channels = 64, .positions = 1, .sizes = 128 + 64 + 1 + 1},
    {.rows = 8, .channels = 4, .positions = 1, .sizes = 8 + 4 + 1 + 1}};

double overall(const std::vector<double>& sparsities) {
  double zeros = 0, weights = 0;
  for (std::size_t l = 0; l < kSizes.size(); ++l) {
    zeros += sparsities[l] * static_cast<double>(kSizes[l].count());
    weights += static_cast<double>(kSizes[l].count());
  }
  return zeros / weights;
}

TEST(AllocationRules, erk_reaches_the_overall_sparsity_and_keeps_small_layers_denser) {
  for (const double sparsity : {0.0, 0.3, 0.7, 0.9, 0.95}) {
    const std::vector<double> sparsities = erk_rule(kSizes)(sparsity);
    EXPECT_NEAR(overall(sparsities), sparsity, 1e-9) << sparsity;
    for (const double one : sparsities)
      EXPECT_THAT(one, ::testing::AllOf(::testing::Ge(0), ::testing::Lt(1)));
  }
  const std::vector<double> sparsities = erk_rule(kSizes)(0.9);
  EXPECT_LT(sparsities[0], sparsities[1]);
  EXPECT_EQ(sparsities[3], 0);  // it would keep more than it has
  // Two layers that are not dense keep shares as their sizes over their counts are.
  const double ratio = (1 - sparsities[0]) / (1 - sparsities[1]);
  EXPECT_NEAR(ratio, (38.0 / 2304) / (134.0 / 36864), 1e-9);
}

TEST(AllocationRules, global_magnitude_prunes_the_smallest_of_all) {
  const std::vector<float> small = {0.1f, -0.2f, 0.3f, 0.01f}, large = {1, -2, 3, 0.25f};
  const std::vector<std::span<const float>> weights = {small, large};
  const std::vector<double> sparsities = global_magnitude_rule(weights)(0.5);
  EXPECT_EQ(sparsities, (std::vector<double>{0.75, 0.25}));
  // Never all of a layer.
  EXPECT_EQ(global_magnitude_rule(weights)(0.75)[0], kHighestSparsity);
}

TEST(AllocationRules, a_budget_is_met_at_the_smallest_sparsity_that_does) {
  const auto cost = [](std::span<const double> s) { return 10 - 4 * s[0] - 4 * s[1]; };
  const std::vector<double> met = meet_budget(uniform_rule(2), cost, 6.0, "ms");
  EXPECT_DOUBLE_EQ(met[0], 0.5);
  EXPECT_EQ(met, meet_budget(uniform_rule(2), cost, 6.0, "ms"));
  EXPECT_EQ(meet_budget(uniform_rule(2), cost, 100, "ms")[0], 0);
}

TEST(AllocationRules, a_budget_out_of_reach_names_what_can_be_reached) {
  const auto cost = [](std::span<const double> s) { return 10 - 8 * s[0]; };
  EXPECT_THAT(
      [&] { meet_budget(uniform_rule(1), cost, 1, "ms"); },
      Throws<adze::Error>(Property(
          &adze::Error::what, AllOf(HasSubstr("1 ms"), HasSubstr("2.08"), HasSubstr("10 ms")))));
}

TEST(ErrorCurve, goes_through_its_points_and_never_falls) {
  const ErrorCurve curve({{0.9, 0.1}, {0.5, 0.001}, {0.7, 0.0005}});
  EXPECT_EQ(curve.error(0), 0);
  EXPECT_DOUBLE_EQ(curve.error(0.5), 0.001);
  EXPECT_DOUBLE_EQ(curve.error(0.7), 0.001);
  EXPECT_DOUBLE_EQ(curve.error(0.9), 0.1);
  EXPECT_NEAR(curve.error(0.8), 0.01, 1e-12);
  EXPECT_NEAR(curve.error(0.25), 0.0005, 1e-12);
  EXPECT_EQ(curve.highest_sparsity(), 0.9);
}

TEST(ErrorCurve, a_layer_that_loses_nothing_is_no_division_by_zero) {
  const ErrorCurve curve({{0.5, 0}, {0.9, 0}});
  for (const double sparsity : {0.0, 0.4, 0.5, 0.8, 0.9}) EXPECT_EQ(curve.error(sparsity), 0);
}

TEST(ErrorCurve, refuses_figures_that_are_none) {
  EXPECT_THAT([] { ErrorCurve({{1.0, 0.5}}); }, refused("sparsity 1.0"));
  EXPECT_THAT([] { ErrorCurve({{0.5, -1}}); }, refused("error -1"));
}

}  // namespace
}  // namespace reconstruct
