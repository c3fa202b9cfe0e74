// Layers of two models: which belong together, and where runners part.
#include "host/compare/layers.hpp"

#include "host/base/error.hpp"
#include "host/compare/interface.hpp"
#include "tests/unit/graph/graph_builder.hpp"

namespace adze::host {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

/// Relu after Relu, with these names of results.
Graph chain(const std::vector<std::string>& names, const Shape& shape = {1, 4}) {
  GraphBuilder builder;
  std::uint32_t before = builder.input("x", {1, 4});
  for (const std::string& name : names) {
    const std::uint32_t made = builder.value(name, shape, 0);
    builder.node("Relu", {before}, {made}, "node_" + name);
    before = made;
  }
  builder.graph.outputs = {before};
  builder.graph.relink();
  return builder.graph;
}

OutputComparison figures(const std::string& name, double max_rel) {
  OutputComparison made;
  made.name = name;
  made.max_rel = max_rel;
  made.max_abs = max_rel * 10;
  return made;
}

TEST(Layers, are_matched_by_name_in_the_order_of_the_reference) {
  const LayerMatch match = match_layers(chain({"a", "b", "c"}), chain({"c", "other", "a"}));
  EXPECT_THAT(match.names(), ElementsAre("a", "c"));
  ASSERT_EQ(match.unobserved.size(), 2u);
  EXPECT_EQ(match.unobserved[0].value, "b");
  EXPECT_THAT(match.unobserved[0].reason, HasSubstr("second model has no value"));
  EXPECT_EQ(match.unobserved[1].value, "other");
  EXPECT_THAT(match.unobserved[1].reason, HasSubstr("first model has no value"));
}

TEST(Layers, of_other_shapes_are_left_out_with_both_shapes) {
  const LayerMatch match = match_layers(chain({"a"}), chain({"a"}, {1, 3}));
  EXPECT_TRUE(match.layers.empty());
  ASSERT_EQ(match.unobserved.size(), 1u);
  EXPECT_THAT(match.unobserved[0].reason, AllOf(HasSubstr("1x4"), HasSubstr("1x3")));
}

TEST(Layers, take_the_quantization_of_the_side_that_has_one) {
  Graph quantized = chain({"a", "b"});
  quantized.values[quantized.find_value("b")].quant = Quant{.scale = {0.25f}};
  for (const bool swap : {false, true}) {
    const Graph plain = chain({"a", "b"});
    const LayerMatch match = match_layers(swap ? quantized : plain, swap ? plain : quantized);
    EXPECT_TRUE(match.quantized);
    EXPECT_FALSE(match.layers[0].quant);
    EXPECT_EQ(match.layers[1].quant->scale[0], 0.25f);
  }
}

TEST(Layers, part_at_the_first_one_beyond_its_limit) {
  LayerMatch match = match_layers(chain({"a", "b", "c", "d"}), chain({"a", "b", "c", "d"}));
  match.leave_out("d", "fused");
  const LayerComparison judged = judge_layers(
      match, {figures("c", 0.5), figures("a", 1e-6), figures("b", 2e-4)}, LayerLimits{});
  ASSERT_EQ(judged.layers.size(), 3u);
  ASSERT_NE(judged.first_parting(), nullptr);
  EXPECT_EQ(judged.first_parting()->layer.value, "b");
  EXPECT_EQ(judged.first_parting()->layer.node, "node_b");
  EXPECT_EQ(judged.unobserved.back().reason, "fused");
  const LayerComparison wide = judge_layers(match, {figures("a", 0.1)}, LayerLimits{.max_rel = 1});
  EXPECT_EQ(wide.first_parting(), nullptr);
  EXPECT_EQ(wide.unobserved.size(), 3u) << "what no runner showed is listed";
}

TEST(Layers, of_small_numbers_do_not_part_by_an_absolute_error) {
  OutputComparison made = figures("a", 0.01);
  made.max_abs = 1e-7;
  EXPECT_TRUE(is_within(made, {}));
  EXPECT_FALSE(is_within(made, {.max_abs = 1e-8}));
  made.max_rel.reset();
  EXPECT_FALSE(is_within(made, {.max_abs = 1e-8})) << "zeros against other numbers";
}

TEST(Layers, that_are_quantized_are_judged_in_steps) {
  OutputComparison made = figures("a", 0.5);
  made.steps = {.max = 1, .differing_share = 5e-4};
  EXPECT_TRUE(is_within(made, {}));
  made.steps->differing_share = 2e-3;
  EXPECT_FALSE(is_within(made, {}));
  made.steps = {.max = 2, .differing_share = 1e-6, .beyond_share = 1e-6};
  EXPECT_FALSE(is_within(made, {}));
  made.steps = {};
  made.nan_differing = 1;
  EXPECT_FALSE(is_within(made, {}));
}

TEST(Layers, worth_showing_are_those_around_the_first_parting_one) {
  LayerComparison comparison;
  for (int i = 0; i < 100; ++i)
    comparison.layers.push_back(
        {{.value = std::to_string(i)}, figures("", i == 7 ? 1e-5 : 0), true});
  EXPECT_EQ(comparison.worth_showing(200).size(), 100u);
  EXPECT_THAT(comparison.worth_showing(1), ElementsAre(7)) << "the most different one";
  comparison.layers[50].within = comparison.layers[60].within = false;
  EXPECT_THAT(comparison.worth_showing(7), ElementsAre(45, 46, 47, 48, 49, 50, 51));
  comparison.layers[2].within = false;
  EXPECT_THAT(comparison.worth_showing(4), ElementsAre(0, 1, 2, 3));
}

std::string refusal(const Graph& a, const Graph& b) {
  try {
    require_comparable(a, "cpu:one.onnx", b, "cpu:two.onnx");
  } catch (const Error& error) {
    EXPECT_EQ(error.code, ADZE_INVALID_ARGUMENT);
    return error.what();
  }
  return "accepted";
}

TEST(Interface, models_of_other_shapes_are_refused_by_name) {
  EXPECT_EQ(refusal(chain({"y"}), chain({"y"})), "accepted");
  EXPECT_EQ(refusal(chain({"y"}), chain({"z"}, {1, 3})), "accepted") << "no output in common";
  EXPECT_THAT(refusal(chain({"y"}), chain({"y"}, {1, 3})),
              AllOf(HasSubstr("'cpu:one.onnx' with 'cpu:two.onnx'"), HasSubstr("'y' (1x4"),
                    HasSubstr("'y' (1x3")));
  Graph wide = chain({"y"});
  wide.values[wide.inputs[0]].shape = Shape{1, 9};
  EXPECT_THAT(refusal(chain({"y"}), wide), AllOf(HasSubstr("input"), HasSubstr("'x' (1x9")));
  wide.values[wide.inputs[0]].shape.reset();
  EXPECT_EQ(refusal(chain({"y"}), wide), "accepted");
  wide.values[wide.inputs[0]].dtype = DType::u8;
  EXPECT_THAT(refusal(chain({"y"}), wide), HasSubstr("uint8"));
  wide.inputs.clear();
  EXPECT_THAT(refusal(chain({"y"}), wide), HasSubstr("has 1 inputs, the second 0"));
}

}  // namespace
}  // namespace adze::host
