#include "host/graph/simplify.hpp"

#include <cmath>

#include "graph_builder.hpp"

namespace adze::host {
namespace {

using testing::ElementsAre;
using testing::FloatNear;
using testing::Pointwise;

TEST(RemoveIdentities, results_keep_the_names_of_outputs) {
  GraphBuilder b;
  const auto x = b.input("x", {1, 4});
  const auto a = b.value("a", {1, 4}), c = b.value("c", {1, 4}), y = b.value("y", {1, 4});
  b.node("Identity", {x}, {a});
  b.node("Relu", {a}, {c}, "relu");
  b.node("Identity", {c}, {y});
  b.graph.outputs = {y};
  remove_identities(b.graph);
  EXPECT_THAT(operators(b.graph), ElementsAre("Relu"));
  EXPECT_EQ(b.graph.value(b.graph.outputs[0]).name, "y");
  EXPECT_EQ(b.graph.value(b.graph.nodes[0].inputs[0]).name, "x");
}

TEST(RemoveIdentities, chains_leave_at_once) {
  GraphBuilder b;
  auto at = b.input("x", {1});
  for (const char* name : {"a", "b", "c", "d"}) {
    const auto next = b.value(name, {1});
    b.node(*name == 'b' ? "Dropout" : "Identity", {at}, {next}, name);
    at = next;
  }
  const auto y = b.value("y", {1});
  b.node("Relu", {at}, {y});
  b.graph.outputs = {y};
  remove_identities(b.graph);
  EXPECT_THAT(operators(b.graph), ElementsAre("Relu"));
}

TEST(RemoveIdentities, input_that_is_an_output_keeps_its_node) {
  GraphBuilder b;
  const auto x = b.input("x", {1}), y = b.value("y", {1});
  b.node("Identity", {x}, {y});
  b.graph.outputs = {y};
  remove_identities(b.graph);
  EXPECT_THAT(operators(b.graph), ElementsAre("Identity"));
}

TEST(RemoveIdentities, dropout_in_training_stays) {
  GraphBuilder b;
  const auto x = b.input("x", {1}), y = b.value("y", {1}), z = b.value("z", {1});
  const std::uint8_t yes = 1;
  const auto training =
      b.constant("training", Tensor(DType::boolean, {}, std::span<const std::uint8_t>(&yes, 1)));
  b.node("Dropout", {x, kNone, training}, {y});
  b.node("Relu", {y}, {z});
  b.graph.outputs = {z};
  remove_identities(b.graph);
  EXPECT_THAT(operators(b.graph), ElementsAre("Dropout", "Relu"));
}

TEST(FoldConstants, computes_what_is_known) {
  GraphBuilder b;
  const auto x = b.input("x", {1, 4, 4}), y = b.value("y", {1, 4, 4});
  const auto a = b.value("a", {2}), c = b.value("c", {2}), d = b.value("d", {});
  b.node("Mul", {b.integers("l", {3, 4}), b.integers("r", {5})}, {a});
  b.node("Cast", {a}, {c}).attributes["to"] = std::int64_t{1};
  b.node("Gather", {c, b.constant("i", Tensor(DType::i64, {}))}, {d});
  b.node("Add", {x, d}, {y});
  b.graph.outputs = {y};
  fold_constants(b.graph);
  EXPECT_THAT(operators(b.graph), ElementsAre("Add"));
  EXPECT_EQ(value_named(b.graph, "d").constant->as<float>()[0], 15.0f);
}

TEST(FoldConstants, division_by_zero_stays_for_the_backend) {
  GraphBuilder b;
  const auto y = b.value("y", {1}), z = b.value("z", {1});
  b.node("Div", {b.integers("l", {3}), b.integers("r", {0})}, {y});
  b.node("Neg", {y}, {z});
  b.graph.outputs = {z};
  fold_constants(b.graph);
  EXPECT_EQ(b.graph.nodes.size(), 2u);
}

TEST(FoldConstants, size_of_the_batch_is_no_constant) {
  GraphBuilder b;
  const auto x = b.input("x", {1, 3, 4}), shape = b.value("shape", {3}), y = b.value("y", {3});
  b.node("Shape", {x}, {shape});
  b.node("Add", {shape, b.integers("one", {1})}, {y});
  b.graph.outputs = {y};
  fold_constants(b.graph);
  EXPECT_THAT(operators(b.graph), ElementsAre("Shape", "Add"));
}

TEST(FoldConstants, other_sizes_are) {
  GraphBuilder b;
  const auto x = b.input("x", {1, 3, 4}), shape = b.value("shape", {3});
  const auto part = b.value("part", {2}), y = b.value("y", {2});
  b.node("Shape", {x}, {shape});
  b.node("Slice", {shape, b.integers("start", {1}), b.integers("end", {9})}, {part});
  b.node("Reshape", {x, part}, {y}, "reshape");
  b.graph.outputs = {y};
  fold_constants(b.graph);
  EXPECT_THAT(operators(b.graph), ElementsAre("Reshape"));
  EXPECT_THAT(value_named(b.graph, "part").constant->as<std::int64_t>(), ElementsAre(3, 4));
}

TEST(FoldConstants, sizes_of_resize_become_scales_when_they_repeat_the_batch) {
  GraphBuilder b;
  const auto x = b.input("x", {1, 3, 4, 5}), y = b.value("y", {1, 3, 8, 15}, 0);
  const auto shape = b.value("shape", {4}), part = b.value("part", {2}), to = b.value("to", {4});
  b.node("Shape", {x}, {shape});
  b.node("Slice", {shape, b.integers("start", {0}), b.integers("end", {2})}, {part});
  b.node("Concat", {part, b.integers("size", {8, 15})}, {to}).attributes["axis"] = std::int64_t{0};
  b.node("Resize", {x, kNone, kNone, to}, {y});
  b.graph.outputs = {y};
  fold_constants(b.graph);
  EXPECT_THAT(operators(b.graph), ElementsAre("Resize"));
  ASSERT_EQ(b.graph.nodes[0].inputs.size(), 3u);
  EXPECT_THAT(to_f32(*b.graph.value(b.graph.nodes[0].inputs[2]).constant), ElementsAre(1, 1, 2, 3));
}

TEST(FoldConstants, large_uniform_constants_stay_uniform) {
  GraphBuilder b;
  const auto x = b.input("x", {1, 4096}), w = b.value("w", {4096, 4096});
  const auto t = b.value("t", {4096, 4096}), s = b.value("s", {4096, 4096});
  const auto y = b.value("y", {1, 4096});
  const float half = 0.5f;
  b.node("ConstantOfShape", {b.integers("shape", {4096, 4096})}, {w}).attributes["value"] =
      Tensor(DType::f32, {1}, std::span<const float>(&half, 1));
  b.node("Transpose", {w}, {t});
  b.node("Mul", {t, b.floats("two", {}, {2})}, {s});
  b.node("MatMul", {x, s}, {y});
  b.graph.outputs = {y};
  simplify(b.graph);
  EXPECT_THAT(operators(b.graph), ElementsAre("MatMul"));
  const Tensor& folded = *b.graph.value(weight_of(b.graph, b.graph.nodes[0])).constant;
  EXPECT_TRUE(folded.is_uniform());
  EXPECT_EQ(folded.as<float>().back(), 1.0f);
}

// A layer and the batch norm behind it, against the formula of the operators.
class FoldBatchNorms : public testing::Test {
 protected:
  Graph layer(const std::string& op, const Shape& weight_shape, std::int64_t channels,
              std::map<std::string, Attribute> attributes) {
    GraphBuilder b;
    const auto x = b.input("x", op == "Gemm" ? Shape{1, 4} : Shape{1, 4, 1, 1});
    const Shape result = op == "Gemm" ? Shape{1, channels} : Shape{1, channels, 1, 1};
    const auto a = b.value("a", result), y = b.value("y", result);
    for (std::int64_t i = 0; i < element_count(weight_shape); ++i)
      weight_.push_back(static_cast<float>(i + 1) / 8);
    for (std::int64_t c = 0; c < channels; ++c) {
      const auto f = static_cast<float>(c);
      bias_.push_back(f - 1);
      scale_.push_back(0.5f + f);
      shift_.push_back(2 - f);
      mean_.push_back(0.25f * f);
      variance_.push_back(1 + f);
    }
    b.node(op, {x, b.floats("w", weight_shape, weight_), b.floats("b", {channels}, bias_)}, {a})
        .attributes = std::move(attributes);
    b.node("BatchNormalization",
           {a, b.floats("scale", {channels}, scale_), b.floats("shift", {channels}, shift_),
            b.floats("mean", {channels}, mean_), b.floats("variance", {channels}, variance_)},
           {y})
        .attributes["epsilon"] = 0.125;
    b.graph.outputs = {y};
    simplify(b.graph);
    return b.graph;
  }
  float factor(std::size_t c) const { return scale_[c] / std::sqrt(variance_[c] + 0.125f); }
  void expect_folded(const Graph& graph, const std::string& op,
                     const std::vector<std::size_t>& channel_of_weight) {
    ASSERT_THAT(operators(graph), ElementsAre(op));
    std::vector<float> weight, bias;
    for (std::size_t i = 0; i < weight_.size(); ++i)
      weight.push_back(weight_[i] * factor(channel_of_weight[i]));
    for (std::size_t c = 0; c < bias_.size(); ++c)
      bias.push_back((bias_[c] - mean_[c]) * factor(c) + shift_[c]);
    EXPECT_THAT(to_f32(*value_named(graph, "w").constant), Pointwise(FloatNear(1e-5f), weight));
    EXPECT_THAT(to_f32(*value_named(graph, "b").constant), Pointwise(FloatNear(1e-5f), bias));
    EXPECT_EQ(graph.value(graph.outputs[0]).name, "y");
  }
  std::vector<float> weight_, bias_, scale_, shift_, mean_, variance_;
};

TEST_F(FoldBatchNorms, into_convolution_by_axis_0) {
  expect_folded(layer("Conv", {3, 2, 1, 1}, 3, {{"group", std::int64_t{2}}}), "Conv",
                {0, 0, 1, 1, 2, 2});
}

TEST_F(FoldBatchNorms, into_transposed_convolution_by_group_and_axis_1) {
  // 4 input channels in 2 groups, 2 output channels a group.
  expect_folded(layer("ConvTranspose", {4, 2, 1, 1}, 4, {{"group", std::int64_t{2}}}),
                "ConvTranspose", {0, 1, 0, 1, 2, 3, 2, 3});
}

TEST_F(FoldBatchNorms, into_matrix_product) {
  expect_folded(layer("Gemm", {4, 2}, 2, {}), "Gemm", {0, 1, 0, 1, 0, 1, 0, 1});
}

TEST_F(FoldBatchNorms, into_transposed_matrix_product) {
  expect_folded(layer("Gemm", {2, 4}, 2, {{"transB", std::int64_t{1}}}), "Gemm",
                {0, 0, 0, 0, 1, 1, 1, 1});
}

TEST_F(FoldBatchNorms, scaled_matrix_product_stays) {
  EXPECT_EQ(layer("Gemm", {4, 2}, 2, {{"alpha", 2.0}}).nodes.size(), 2u);
}

TEST(FoldBatchNorm, value_that_others_read_stays) {
  GraphBuilder b;
  const auto x = b.input("x", {1, 1, 2, 2}), a = b.value("a", {1, 1, 2, 2});
  const auto y = b.value("y", {1, 1, 2, 2});
  b.node("Conv", {x, b.floats("w", {1, 1, 1, 1}, {2})}, {a});
  b.node("BatchNormalization",
         {a, b.floats("s", {1}, {1}), b.floats("b", {1}, {1}), b.floats("m", {1}, {1}),
          b.floats("v", {1}, {1})},
         {y});
  b.graph.outputs = {y, a};
  simplify(b.graph);
  EXPECT_THAT(operators(b.graph), ElementsAre("Conv", "BatchNormalization"));
}

TEST(OwnConstants, readers_that_are_no_layers_keep_the_original) {
  GraphBuilder b;
  const auto x = b.input("x", {2, 2}), w = b.floats("w", {2, 2}, {1, 2, 3, 4});
  const auto y = b.value("y", {2, 2}), z = b.value("z", {2, 2});
  b.node("MatMul", {x, w}, {y}, "product");
  b.node("Add", {y, w}, {z}, "sum");
  b.graph.outputs = {z};
  own_constants(b.graph);
  EXPECT_EQ(b.graph.value(b.graph.nodes[0].inputs[1]).name, "product/weight");
  EXPECT_EQ(b.graph.value(b.graph.nodes[1].inputs[1]).name, "w");
}

TEST(OwnConstants, bias_of_gemm_gets_one_element_a_channel) {
  GraphBuilder b;
  const auto x = b.input("x", {1, 2}), y = b.value("y", {1, 3});
  b.node("Gemm", {x, b.floats("w", {2, 3}, {1, 2, 3, 4, 5, 6}), b.floats("b", {1}, {7})}, {y});
  b.graph.outputs = {y};
  own_constants(b.graph);
  EXPECT_THAT(to_f32(*value_named(b.graph, "b").constant), ElementsAre(7, 7, 7));
}

}  // namespace
}  // namespace adze::host
