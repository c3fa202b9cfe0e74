// Groups of quantizers, and which of them go back to floating point.
#include "host/pipeline/fallback.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "host/graph/precision.hpp"

namespace adze::host {
namespace {

using ::testing::ElementsAre;

Quant grid(float scale, std::int32_t axis = -1, std::size_t count = 1) {
  Quant quant{.axis = axis, .is_signed = axis >= 0, .bits = 8, .scale = {}, .zero_point = {}};
  quant.scale.assign(count, scale);
  return quant;
}

/// x -> a (Conv, Relu) -> b (Conv) -> Add with what a gave -> c (Gemm), all on grids.
class Net {
 public:
  Net() {
    x_ = value("x");
    graph.inputs = {x_};
    const std::uint32_t a = layer("Conv", "a", x_, 4);
    const std::uint32_t relu = value("a.relu");
    node("Relu", "a.relu", {a}, relu);
    const std::uint32_t b = layer("Conv", "b", relu, 4);
    const std::uint32_t sum = value("sum");
    node("Add", "add", {b, relu}, sum);
    const std::uint32_t c = layer("Gemm", "c", sum, 3);
    graph.outputs = {c};
    graph.relink();
    for (Value& one : graph.values) {
      const bool layer_result = one.name == "a" || one.name == "c";
      if (one.constant && one.constant->shape().size() > 1)
        one.quant = grid(0.5f, 0, static_cast<std::size_t>(one.constant->shape()[0]));
      else if (!one.constant && !layer_result)
        one.quant = grid(0.25f);
    }
  }

  std::uint32_t value(const std::string& name) {
    Value made;
    made.name = name;
    made.shape = Shape{1, 4, 2, 2};
    graph.values.push_back(std::move(made));
    return static_cast<std::uint32_t>(graph.values.size() - 1);
  }
  void node(const std::string& op, const std::string& name, std::vector<std::uint32_t> inputs,
            std::uint32_t output) {
    Node made;
    made.op = op;
    made.name = name;
    made.op_version = 13;
    made.inputs = std::move(inputs);
    made.outputs = {output};
    graph.nodes.push_back(std::move(made));
  }
  std::uint32_t constant(const std::string& name, Shape shape) {
    const std::uint32_t made = value(name);
    graph.values[made].shape = shape;
    graph.values[made].constant = Tensor::uniform(DType::f32, std::move(shape), 1.25);
    return made;
  }
  std::uint32_t layer(const std::string& op, const std::string& name, std::uint32_t input,
                      std::int64_t outputs) {
    const Shape shape = op == "Conv" ? Shape{outputs, 4, 1, 1} : Shape{16, outputs};
    const std::uint32_t weight = constant(name + ".weight", shape),
                        bias = constant(name + ".bias", {outputs}), result = value(name);
    node(op, name, {input, weight, bias}, result);
    return result;
  }
  std::uint32_t at(const std::string& name) const { return graph.find_value(name); }

  Graph graph;

 private:
  std::uint32_t x_;
};

std::vector<std::string> names(const Graph& graph, const std::vector<std::uint32_t>& values) {
  std::vector<std::string> found;
  for (const std::uint32_t value : values) found.push_back(graph.value(value).name);
  return found;
}

const QuantizerGroup& group_of(const std::vector<QuantizerGroup>& groups, std::uint32_t value) {
  return *std::ranges::find_if(groups, [&](const QuantizerGroup& group) {
    return std::ranges::find(group.values, value) != group.values.end();
  });
}

TEST(QuantizerGroups, inputs_of_one_operator_belong_together) {
  const Net net;
  const auto groups = quantizer_groups(net.graph);
  ASSERT_EQ(groups.size(), 3u);
  // b reads what the Add reads too, and the Add reads what b gives.
  const QuantizerGroup& middle = group_of(groups, net.at("a.relu"));
  EXPECT_THAT(names(net.graph, middle.values), ElementsAre("a.relu", "b"));
  EXPECT_THAT(names(net.graph, middle.constants), ElementsAre("b.weight"));
  ASSERT_EQ(middle.nodes.size(), 2u);
  EXPECT_EQ(net.graph.nodes[middle.nodes[0]].name, "b");
  EXPECT_EQ(net.graph.nodes[middle.nodes[1]].name, "add");
}

TEST(QuantizerGroups, a_weight_that_was_only_rounded_comes_back_and_a_rescaled_one_stays) {
  const Net net;
  Graph quantized = net.graph;
  const auto set = [&](const char* name, double element) {
    Value& value = quantized.values[quantized.find_value(name)];
    value.constant = Tensor::uniform(DType::f32, value.constant->shape(), element);
  };
  set("a.weight", 1.5);  // half a step of 0.5
  set("a.bias", 7);
  set("b.weight", 5);  // rescaled
  set("b.bias", 7);
  const auto groups = quantizer_groups(quantized);
  const auto element = [&](const Graph& graph, const char* name) {
    return to_f32(*graph.value(graph.find_value(name)).constant)[0];
  };
  const Graph first = without_grids(quantized, group_of(groups, net.at("x")), net.graph);
  EXPECT_EQ(element(first, "a.weight"), 1.25f);
  EXPECT_EQ(element(first, "a.bias"), 1.25f);
  EXPECT_FALSE(first.value(first.find_value("a.weight")).quant);
  EXPECT_FALSE(first.value(first.find_value("x")).quant);
  EXPECT_TRUE(first.value(first.find_value("b.weight")).quant);
  const Graph second = without_grids(quantized, group_of(groups, net.at("b")), net.graph);
  EXPECT_EQ(element(second, "b.weight"), 5.f);
  EXPECT_EQ(element(second, "b.bias"), 7.f);
}

/// Each tensor on a grid costs what this says.
FallbackTools costs(const std::map<std::string, double>& drop_of) {
  const auto drop = [drop_of](const Graph& graph) {
    double sum = 0;
    for (const auto& [name, cost] : drop_of)
      if (graph.value(graph.find_value(name)).quant) sum += cost;
    return sum;
  };
  return {.estimate = [drop](const Graph& graph) { return DropEstimate{.drop = drop(graph)}; },
          .output_error = [drop](const Graph& graph) { return drop(graph) / 100; },
          .predict_ms = [](const Graph& graph) { return 2 - int8_macs(graph).int8_share(); },
          .progress = {}};
}

TEST(Fallback, reverts_the_worst_layer_and_no_more_than_needed) {
  const Net net;
  const FallbackTools tools = costs({{"x", 0.3}, {"b", 5.0}, {"sum", 0.2}});
  const FallbackResult result =
      fall_back(net.graph, tools.estimate(net.graph), net.graph, 1.0, 1.0, tools);
  ASSERT_EQ(result.groups.size(), 3u);
  EXPECT_THAT(result.groups[0].nodes, ElementsAre("b", "add"));
  EXPECT_TRUE(result.groups[0].reverted);
  EXPECT_NEAR(result.groups[0].recovered, 0.05, 1e-9);
  EXPECT_GT(result.groups[0].added_ms, 0);
  EXPECT_FALSE(result.groups[1].reverted);
  EXPECT_EQ(result.groups[1].reason, "not needed");
  EXPECT_TRUE(result.within);
  EXPECT_NEAR(result.estimate.drop, 0.5, 1e-9);
  EXPECT_TRUE(result.graph.value(result.graph.find_value("x")).quant);
}

TEST(Fallback, does_not_put_more_into_floating_point_than_allowed) {
  const Net net;
  const FallbackTools tools = costs({{"x", 3}, {"b", 5.0}});
  const FallbackResult result =
      fall_back(net.graph, tools.estimate(net.graph), net.graph, 1.0, 0.2, tools);
  EXPECT_TRUE(result.groups[0].reverted);
  EXPECT_FALSE(result.groups[1].reverted);
  EXPECT_THAT(result.groups[1].reason, ::testing::HasSubstr("too many MACs"));
  EXPECT_EQ(result.groups[2].reason, "would recover nothing");
  EXPECT_FALSE(result.within);
}

TEST(Precision, layers_are_int8_until_something_they_read_is_not) {
  Net net;
  const auto precision_of = [&](const char* name) {
    return node_precisions(net.graph)[net.graph.find_node(name)];
  };
  EXPECT_EQ(precision_of("a").precision, Precision::int8);
  EXPECT_EQ(precision_of("a.relu").precision, Precision::int8);
  EXPECT_EQ(precision_of("c").precision, Precision::int8);
  EXPECT_THAT(precision_of("c").reason, ::testing::HasSubstr("leave the model"));
  EXPECT_EQ(int8_macs(net.graph).int8_share(), 1.0);
  net.graph.values[net.at("b.weight")].quant.reset();
  EXPECT_EQ(precision_of("b").precision, Precision::floating);
  EXPECT_THAT(precision_of("b").reason, ::testing::HasSubstr("'b.weight'"));
  EXPECT_EQ(precision_of("add").precision, Precision::int8);
  EXPECT_LT(int8_macs(net.graph).int8_share(), 1.0);
}

}  // namespace
}  // namespace adze::host
