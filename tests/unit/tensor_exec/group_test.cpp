// Which nodes run as one step, and that this changes nothing but the time.
#include <gmock/gmock.h>

#include <array>

#include "plugins/tensor_exec/plan.hpp"
#include "tests/unit/tensor_exec/execute.hpp"

namespace adze::exec {
namespace {

using ::testing::ElementsAre;
using testing::execute;
using testing::GraphBuilder;
using testing::Random;
using Nodes = std::vector<std::uint32_t>;

std::vector<Nodes> groups_of(GraphBuilder& builder, std::vector<std::uint32_t> extra = {}) {
  Program program = make_program(*builder.graph(), Rounding::half_even);
  program.extra_outputs = std::move(extra);
  std::vector<Nodes> nodes;
  for (const Group& group : group_nodes(program)) nodes.push_back(group.nodes);
  return nodes;
}

struct LayerShape {
  std::int64_t kernel = 1, groups = 1, stride = 1, channels = 8;
};

/// (x) - conv - add(other) - relu, where other is a second convolution of x.
struct Sum {
  GraphBuilder builder;
  std::uint32_t first, second, sum, active;

  explicit Sum(const LayerShape& layer, bool swapped = false, const char* last = "Relu") {
    Random random(3);
    const std::int64_t out = (9 - 1) / layer.stride + 1, pad = layer.kernel / 2;
    const auto conv = [&](std::uint32_t x, std::int64_t kernel, std::int64_t groups) {
      const testing::Shape shape{layer.channels, layer.channels / groups, kernel, kernel};
      const std::uint32_t weights =
          builder.constant("w", shape, random.numbers(testing::count_of(shape), -0.5f, 0.5f));
      const std::int64_t edge = kernel / 2;
      return builder.node("Conv", {x, weights}, {1, layer.channels, out, out},
                          {{"group", groups},
                           {"strides", std::vector<std::int64_t>{layer.stride, layer.stride}},
                           {"pads", std::vector<std::int64_t>{edge, edge, edge, edge}}});
    };
    const std::uint32_t x = builder.input("x", {1, layer.channels, 9, 9});
    first = conv(x, 2 * pad + 1, layer.groups);
    second = conv(x, 1, 1);
    sum = builder.node("Add", swapped ? Nodes{second, first} : Nodes{first, second},
                       {1, layer.channels, out, out});
    active = builder.node(last, {sum}, {1, layer.channels, out, out});
    builder.output(active);
  }
};

TEST(Groups, a_layer_takes_the_addition_and_the_limit_behind_it) {
  Sum graph({3, 1, 1});
  // Where the last of its nodes stands: the other layer is computed before.
  EXPECT_THAT(groups_of(graph.builder), ElementsAre(Nodes{1}, Nodes{0, 2, 3}));
}

TEST(Groups, what_is_shown_or_read_twice_is_not_taken) {
  Sum graph({3, 1, 1});
  EXPECT_THAT(groups_of(graph.builder, {graph.first}), ElementsAre(Nodes{0}, Nodes{1, 2, 3}));
  EXPECT_THAT(groups_of(graph.builder, {graph.first, graph.second}),
              ElementsAre(Nodes{0}, Nodes{1}, Nodes{2, 3}));
  EXPECT_THAT(groups_of(graph.builder, {graph.sum}), ElementsAre(Nodes{1}, Nodes{0, 2}, Nodes{3}));
}

TEST(Groups, a_layer_that_rounds_does_not_take_an_addition) {
  Sum graph({3, 1, 1});
  graph.builder.quantize(graph.first, 0.1f, 128);
  EXPECT_THAT(groups_of(graph.builder), ElementsAre(Nodes{0}, Nodes{1, 2, 3}));
}

TEST(Groups, a_layer_with_computed_weights_does_not_take_an_addition) {
  GraphBuilder builder;
  const std::uint32_t x = builder.input("x", {1, 1, 2, 2});
  const std::uint32_t weights = builder.input("w", {1, 1, 1, 1}, -1);
  const std::uint32_t layer = builder.node("Conv", {x, weights}, {1, 1, 2, 2});
  builder.output(builder.node("Add", {layer, x}, {1, 1, 2, 2}));
  EXPECT_THAT(groups_of(builder), ElementsAre(Nodes{0}, Nodes{1}));
  EXPECT_THAT(execute(builder, {{1, 2, 3, 4}, {2}}).at(0), ElementsAre(3, 6, 9, 12));
}

TEST(Groups, a_value_added_to_itself_stays_an_addition) {
  GraphBuilder builder;
  const std::uint32_t x = builder.input("x", {1, 1, 2, 2});
  const std::uint32_t weights = builder.constant("w", testing::Shape{1, 1, 1, 1}, {2.0f});
  const std::uint32_t layer = builder.node("Conv", {x, weights}, {1, 1, 2, 2});
  builder.output(builder.node("Add", {layer, layer}, {1, 1, 2, 2}));
  EXPECT_THAT(groups_of(builder), ElementsAre(Nodes{0}, Nodes{1}));
  EXPECT_THAT(execute(builder, {{1, 2, 3, 4}}).at(0), ElementsAre(4, 8, 12, 16));
}

TEST(Groups, limits_that_leave_no_number_stay_a_step) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const auto& [low, high, expected] :
       {std::array{2.0f, 1.0f, 1.0f}, std::array{kInfinity, kInfinity, kInfinity},
        std::array{-kInfinity, -kInfinity, -kInfinity}}) {
    GraphBuilder builder;
    const std::uint32_t x = builder.input("x", {1, 4, 2, 2});
    const std::uint32_t weights =
        builder.constant("w", testing::Shape{4, 1, 1, 1}, {1.0f, 2.0f, 3.0f, 4.0f});
    const std::uint32_t layer =
        builder.node("Conv", {x, weights}, {1, 4, 2, 2}, {{"group", std::int64_t{4}}});
    const std::uint32_t least = builder.constant("low", testing::Shape{}, {low});
    const std::uint32_t most = builder.constant("high", testing::Shape{}, {high});
    builder.output(builder.node("Clip", {layer, least, most}, {1, 4, 2, 2}));
    EXPECT_THAT(groups_of(builder), ElementsAre(Nodes{0}, Nodes{1}));
    EXPECT_THAT(execute(builder, {std::vector<float>(16, 1.5f)}).at(0), ::testing::Each(expected));
  }
}

class Fusion : public ::testing::TestWithParam<LayerShape> {};

TEST_P(Fusion, computes_the_same_sum) {
  for (const bool swapped : {false, true})
    for (const char* last : {"Relu", "Sigmoid"}) {
      Sum graph(GetParam(), swapped, last);
      const std::vector<std::vector<float>> input{
          Random(4).numbers(2 * GetParam().channels * 81, -1, 1)};
      const auto fused = execute(graph.builder, input, {.batch = 2, .extra_outputs = {}});
      const auto apart =
          execute(graph.builder, input, {.batch = 2, .extra_outputs = {graph.first, graph.second}});
      ASSERT_EQ(fused[0].size(), apart[0].size());
      for (std::size_t i = 0; i < fused[0].size(); ++i)
        ASSERT_NEAR(fused[0][i], apart[0][i], 1e-5f) << i;
    }
}

INSTANTIATE_TEST_SUITE_P(Layers, Fusion,
                         ::testing::Values(LayerShape{1, 1, 1}, LayerShape{3, 1, 1},
                                           LayerShape{3, 8, 1}, LayerShape{3, 2, 1},
                                           LayerShape{1, 1, 2}, LayerShape{3, 8, 2},
                                           LayerShape{1, 1, 1, 20}, LayerShape{3, 1, 1, 20},
                                           LayerShape{3, 20, 1, 20}, LayerShape{3, 4, 1, 20},
                                           LayerShape{1, 1, 1, 3}, LayerShape{5, 1, 2, 36},
                                           LayerShape{7, 3, 1, 3}, LayerShape{3, 1, 2, 64},
                                           LayerShape{1, 2, 1, 32}, LayerShape{3, 4, 1, 64}));

}  // namespace
}  // namespace adze::exec
