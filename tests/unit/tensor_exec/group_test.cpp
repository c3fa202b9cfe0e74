// Which nodes run as one step, and that this changes nothing but the time.
#include <gmock/gmock.h>

#include <array>

#include "plugins/tensor_exec/convolution.hpp"
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

/// Without AVX2, oneDNN 2.6 adds wrongly: the addition is a step of its own there.
bool layers_take_additions() { return widest_vectors() != Vectors::narrower; }

TEST(Groups, a_layer_takes_the_addition_and_the_limit_behind_it) {
  if (!layers_take_additions()) GTEST_SKIP() << "the CPU has no AVX2";
  Sum graph({3, 1, 1});
  // Where the last of its nodes stands: the other layer is computed before.
  EXPECT_THAT(groups_of(graph.builder), ElementsAre(Nodes{1}, Nodes{0, 2, 3}));
}

TEST(Groups, what_is_shown_or_read_twice_is_not_taken) {
  if (!layers_take_additions()) GTEST_SKIP() << "the CPU has no AVX2";
  Sum graph({3, 1, 1});
  EXPECT_THAT(groups_of(graph.builder, {graph.first}), ElementsAre(Nodes{0}, Nodes{1, 2, 3}));
  EXPECT_THAT(groups_of(graph.builder, {graph.first, graph.second}),
              ElementsAre(Nodes{0}, Nodes{1}, Nodes{2, 3}));
  EXPECT_THAT(groups_of(graph.builder, {graph.sum}), ElementsAre(Nodes{1}, Nodes{0, 2}, Nodes{3}));
}

TEST(Groups, a_layer_that_rounds_does_not_take_an_addition) {
  Sum graph({3, 1, 1});
  graph.builder.quantize(graph.first, 0.1f, 128);
  // The other layer does not round.
  if (layers_take_additions())
    EXPECT_THAT(groups_of(graph.builder), ElementsAre(Nodes{0}, Nodes{1, 2, 3}));
  else
    EXPECT_THAT(groups_of(graph.builder), ElementsAre(Nodes{0}, Nodes{1}, Nodes{2, 3}));
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

TEST(Groups, a_value_added_to_itself_is_no_addend) {
  GraphBuilder builder;
  const std::uint32_t x = builder.input("x", {1, 1, 2, 2});
  const std::uint32_t weights = builder.constant("w", testing::Shape{1, 1, 1, 1}, {2.0f});
  const std::uint32_t layer = builder.node("Conv", {x, weights}, {1, 1, 2, 2});
  builder.output(builder.node("Add", {layer, layer}, {1, 1, 2, 2}));
  const Program program = make_program(*builder.graph(), Rounding::half_even);
  EXPECT_EQ(group_nodes(program).front().addend, ADZE_NONE);
  EXPECT_THAT(execute(builder, {{1, 2, 3, 4}}).at(0), ElementsAre(4, 8, 12, 16));
}

TEST(Groups, limits_that_leave_no_number_come_behind_the_layer) {
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
    const Program program = make_program(*builder.graph(), Rounding::half_even);
    EXPECT_FALSE(group_nodes(program).front().clamp.any());
    EXPECT_THAT(execute(builder, {std::vector<float>(16, 1.5f)}).at(0), ::testing::Each(expected));
  }
}

/// A convolution, activations behind it that are made of several nodes, and a gate on its channels.
struct Gated {
  enum class Kind { silu, hard_swish, gelu };
  GraphBuilder builder;
  std::vector<std::uint32_t> values;  ///< all results but the last
  testing::Shape shape;

  Gated(Kind kind, bool quantized, std::int64_t channels) : shape{1, channels, 9, 9} {
    Random random(5);
    const std::uint32_t x = builder.input("x", {1, 4, 9, 9});
    const std::uint32_t weights = builder.constant("w", testing::Shape{channels, 4, 1, 1},
                                                   random.numbers(channels * 4, -0.5f, 0.5f));
    if (quantized) {
      builder.quantize(x, 0.02f, 128);
      builder.quantize(weights, 0.004f, 0, true);
    }
    const auto add = [&](const char* op, const Nodes& inputs, const testing::Shape& of) {
      values.push_back(builder.node(op, inputs, of));
      if (quantized) builder.quantize(values.back(), 0.03f, 100);
      return values.back();
    };
    const auto number = [&](float value) {
      return builder.constant("n" + std::to_string(value), testing::Shape{}, {value});
    };
    const std::uint32_t y = add("Conv", {x, weights}, shape);
    std::uint32_t active = y;
    if (kind == Kind::silu) {
      active = add("Mul", {add("Sigmoid", {y}, shape), y}, shape);
    } else if (kind == Kind::hard_swish) {
      const std::uint32_t sum = add("Add", {y, number(3)}, shape);
      const std::uint32_t limited = add("Clip", {sum, number(0), number(6)}, shape);
      active = add("Mul", {y, add("Div", {limited, number(6)}, shape)}, shape);
    } else {
      const std::uint32_t error = add("Erf", {add("Div", {y, number(1.4142135f)}, shape)}, shape);
      const std::uint32_t product = add("Mul", {y, add("Add", {error, number(1)}, shape)}, shape);
      active = add("Mul", {number(0.5f), product}, shape);
    }
    const testing::Shape one{1, channels, 1, 1};
    const std::uint32_t gate = add("Sigmoid", {add("GlobalAveragePool", {active}, one)}, one);
    builder.output(add("Mul", {active, gate}, shape));
    values.pop_back();
  }
};

TEST(Groups, functions_of_one_element_run_with_the_layer_before_them) {
  Gated silu(Gated::Kind::silu, false, 8), hard_swish(Gated::Kind::hard_swish, true, 8),
      gelu(Gated::Kind::gelu, false, 8);
  EXPECT_THAT(groups_of(silu.builder), ElementsAre(Nodes{0, 1, 2}, Nodes{3}, Nodes{4}, Nodes{5}));
  EXPECT_THAT(groups_of(hard_swish.builder),
              ElementsAre(Nodes{0, 1, 2, 3, 4}, Nodes{5}, Nodes{6}, Nodes{7}));
  EXPECT_THAT(groups_of(gelu.builder),
              ElementsAre(Nodes{0, 1, 2, 3, 4, 5}, Nodes{6}, Nodes{7}, Nodes{8}));
}

TEST(Groups, functions_of_one_element_run_together) {
  Gated silu(Gated::Kind::silu, false, 8), gelu(Gated::Kind::gelu, false, 8);
  EXPECT_THAT(groups_of(silu.builder, {silu.values[0]}),
              ElementsAre(Nodes{0}, Nodes{1, 2}, Nodes{3}, Nodes{4}, Nodes{5}));
  EXPECT_THAT(
      groups_of(gelu.builder, {gelu.values[3]}),
      ElementsAre(Nodes{0}, Nodes{1, 2, 3}, Nodes{4}, Nodes{5}, Nodes{6}, Nodes{7}, Nodes{8}));
  EXPECT_THAT(groups_of(gelu.builder, gelu.values),
              ElementsAre(Nodes{0}, Nodes{1}, Nodes{2}, Nodes{3}, Nodes{4}, Nodes{5}, Nodes{6},
                          Nodes{7}, Nodes{8}));
}

TEST(Groups, a_layer_in_floats_rounds_before_what_follows) {
  Gated silu(Gated::Kind::silu, false, 8);
  silu.builder.quantize(silu.values[0], 0.03f, 100);
  EXPECT_THAT(groups_of(silu.builder),
              ElementsAre(Nodes{0}, Nodes{1, 2}, Nodes{3}, Nodes{4}, Nodes{5}));
}

TEST(Groups, a_chain_gives_the_bits_of_its_nodes_one_by_one) {
  for (const auto kind : {Gated::Kind::silu, Gated::Kind::hard_swish, Gated::Kind::gelu})
    for (const bool quantized : {false, true})
      for (const std::int64_t channels : {8, 19, 72})
        for (const Rounding rounding : {Rounding::half_even, Rounding::half_up}) {
          Gated gated(kind, quantized, channels);
          const std::vector<std::vector<float>> input{Random(4).numbers(2 * 4 * 81, -2.5f, 2.5f)};
          const auto together = execute(gated.builder, input,
                                        {.batch = 2, .rounding = rounding, .extra_outputs = {}});
          for (const Path path : {Path::automatic, Path::plain}) {
            const auto apart = execute(
                gated.builder, input,
                {.batch = 2, .path = path, .rounding = rounding, .extra_outputs = gated.values});
            EXPECT_EQ(together[0], apart[0]) << channels << ", quantized " << quantized;
          }
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
