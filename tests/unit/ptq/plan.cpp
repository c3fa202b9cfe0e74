#include "plugins/quantization/plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "host/abi/view.hpp"
#include "tests/unit/ptq/builder.hpp"

namespace ptq {
namespace {

using adze::host::Graph;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

/// The plan by names.
struct Named {
  std::vector<std::string> measured, constants;
  std::vector<std::pair<std::string, std::string>> shared;
  std::vector<std::pair<std::string, int>> weights;
  std::vector<std::vector<std::string>> same_scale;
};

Named plan_of(const Graph& graph, std::vector<std::uint32_t> targets = {}) {
  if (targets.empty()) {
    targets.resize(graph.nodes.size());
    std::iota(targets.begin(), targets.end(), 0u);
  }
  const adze::host::View view(graph, targets);
  const Plan plan = make_plan(*view.graph());
  const auto name = [&](std::uint32_t value) { return graph.values[value].name; };
  Named named;
  for (const auto value : plan.measured) named.measured.push_back(name(value));
  for (const auto value : plan.constants) named.constants.push_back(name(value));
  for (const auto& [value, source] : plan.shared)
    named.shared.emplace_back(name(value), name(source));
  for (const auto& weight : plan.weights)
    named.weights.emplace_back(name(weight.weight), weight.axis);
  for (const auto& group : plan.same_scale) {
    named.same_scale.emplace_back();
    for (const auto value : group) named.same_scale.back().push_back(name(value));
  }
  return named;
}

TEST(Plan, rounds_nothing_between_a_convolution_and_its_relu) {
  Builder builder;
  builder.conv("x", "c1");
  builder.node("Relu", {"c1"}, "r1");
  builder.conv("r1", "y");
  const Named plan = plan_of(builder.finish("x", {"y"}));
  EXPECT_THAT(plan.measured, ElementsAre("x", "r1"));
  EXPECT_THAT(plan.weights, ElementsAre(Pair("c1.w", 0), Pair("y.w", 0)));
}

TEST(Plan, rounds_between_a_convolution_and_relu_when_others_read_it_too) {
  Builder builder;
  builder.conv("x", "c1");
  builder.node("Relu", {"c1"}, "r1");
  builder.node("Add", {"c1", "r1"}, "a1");
  builder.conv("a1", "y");
  EXPECT_THAT(plan_of(builder.finish("x", {"y"})).measured,
              UnorderedElementsAre("x", "c1", "r1", "a1"));
}

TEST(Plan, of_a_residual_block_rounds_both_branches_and_the_fused_sum) {
  Builder builder;
  builder.conv("x", "c1");
  builder.node("Relu", {"c1"}, "r1");
  builder.conv("r1", "c2");
  builder.node("Add", {"c2", "x"}, "a1");
  builder.node("Relu", {"a1"}, "r2");
  builder.conv("r2", "y");
  EXPECT_THAT(plan_of(builder.finish("x", {"y"})).measured,
              UnorderedElementsAre("x", "r1", "c2", "r2"));
}

TEST(Plan, passes_the_grid_on_through_nodes_that_only_move_numbers) {
  Builder builder;
  builder.conv("x", "c1");
  builder.node("MaxPool", {"c1"}, "p1");
  builder.node("Flatten", {"p1"}, "f1");
  builder.constant("g.w", {10, 64});
  builder.constant("g.b", {10});
  builder.node("Gemm", {"f1", "g.w", "g.b"}, "y", {{"transB", std::int64_t{1}}});
  const Named plan = plan_of(builder.finish("x", {"y"}));
  EXPECT_THAT(plan.measured, ElementsAre("x", "c1"));
  EXPECT_THAT(plan.shared, ElementsAre(Pair("p1", "c1"), Pair("f1", "p1")));
}

TEST(Plan, rounds_a_model_input_before_it_is_rearranged) {
  Builder builder;
  builder.node("Transpose", {"x"}, "t1");
  builder.conv("t1", "y");
  const Named plan = plan_of(builder.finish("x", {"y"}));
  EXPECT_THAT(plan.measured, ElementsAre("x"));
  EXPECT_THAT(plan.shared, ElementsAre(Pair("t1", "x")));
}

TEST(Plan, leaves_model_outputs_float) {
  Builder builder;
  builder.conv("x", "y");
  EXPECT_THAT(plan_of(builder.finish("x", {"y"})).measured, ElementsAre("x"));
}

TEST(Plan, rounds_a_model_output_that_quantized_nodes_read) {
  Builder builder;
  builder.conv("x", "c1");
  builder.conv("c1", "y");
  EXPECT_THAT(plan_of(builder.finish("x", {"c1", "y"})).measured, ElementsAre("x", "c1"));
}

TEST(Plan, leaves_operators_float_that_do_not_compute_in_integers) {
  Builder builder;
  builder.conv("x", "c1");
  builder.node("Exp", {"c1"}, "e1");
  builder.node("Neg", {"e1"}, "y");
  const Named plan = plan_of(builder.finish("x", {"y"}));
  EXPECT_THAT(plan.measured, ElementsAre("x", "c1"));
}

TEST(Plan, quantizes_constants_that_are_added) {
  Builder builder;
  builder.constant("k", {1, 4, 1, 1});
  builder.conv("x", "c1");
  builder.node("Add", {"c1", "k"}, "a1");
  builder.conv("a1", "y");
  const Named plan = plan_of(builder.finish("x", {"y"}));
  EXPECT_THAT(plan.constants, ElementsAre("k"));
  EXPECT_THAT(plan.measured, UnorderedElementsAre("x", "c1", "a1"));
}

TEST(Plan, takes_the_axis_of_the_output_channels) {
  Builder builder;
  builder.constant("a.w", {8, 8});
  builder.constant("a.b", {8});
  builder.constant("b.w", {8, 8});
  builder.constant("b.b", {8});
  builder.constant("m.w", {8, 8});
  builder.node("Gemm", {"x", "a.w", "a.b"}, "g1", {{"transB", std::int64_t{1}}});
  builder.node("Gemm", {"g1", "b.w", "b.b"}, "g2");
  builder.node("MatMul", {"g2", "m.w"}, "y");
  EXPECT_THAT(plan_of(builder.finish("x", {"y"})).weights,
              ElementsAre(Pair("a.w", 0), Pair("b.w", 1), Pair("m.w", 1)));
}

TEST(Plan, lists_what_would_share_a_scale_around_sums_and_concatenations) {
  Builder builder;
  builder.conv("x", "c1");
  builder.conv("x", "c2");
  builder.node("MaxPool", {"c2"}, "m");
  builder.node("Add", {"c1", "m"}, "a");
  builder.node("Concat", {"c1", "a"}, "b", {{"axis", std::int64_t{1}}});
  builder.conv("b", "c3");
  builder.conv("c3", "c4");
  builder.conv("c3", "c5");
  builder.node("Add", {"c4", "c5"}, "y");
  const Named plan = plan_of(builder.finish("x", {"y"}));
  EXPECT_THAT(plan.same_scale, UnorderedElementsAre(UnorderedElementsAre("c1", "c2", "a", "b"),
                                                    UnorderedElementsAre("c4", "c5")));
}

TEST(Plan, leaves_nodes_float_that_are_no_targets) {
  Builder builder;
  builder.conv("x", "c1");
  builder.conv("c1", "c2");
  builder.conv("c2", "y");
  const Graph graph = builder.finish("x", {"y"});
  const Named plan = plan_of(graph, {1});
  EXPECT_THAT(plan.measured, ElementsAre("c1", "c2"));
  EXPECT_THAT(plan.weights, ElementsAre(Pair("c2.w", 0)));
}

TEST(Plan, of_a_weight_that_two_nodes_share_quantizes_it_once) {
  Builder builder;
  builder.conv("x", "c1");
  builder.node("Conv", {"c1", "c1.w", "c1.b"}, "y");
  EXPECT_THAT(plan_of(builder.finish("x", {"y"})).weights, ElementsAre(Pair("c1.w", 0)));
}

}  // namespace
}  // namespace ptq
