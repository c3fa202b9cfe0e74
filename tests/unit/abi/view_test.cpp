#include "host/abi/view.hpp"

#include <gtest/gtest.h>

#include <adze/adze.hpp>

#include "host/base/error.hpp"
#include "tests/bad_plugins/graphs.hpp"

namespace adze::host {
namespace {

using testing::ElementsAre;

std::vector<std::uint32_t> list(const std::uint32_t* from, std::uint64_t count) {
  return {from, from + count};
}

TEST(View, shows_nodes_values_and_how_they_hang_together) {
  const Graph graph = test::two_gemms();
  const View view(graph, {1});
  const adze_graph& shown = *view.graph();
  ASSERT_EQ(shown.node_count, 2u);
  ASSERT_EQ(shown.value_count, 7u);
  EXPECT_STREQ(shown.nodes[0]->op, "Gemm");
  EXPECT_STREQ(shown.nodes[0]->domain, "");
  EXPECT_THAT(list(shown.nodes[1]->inputs, shown.nodes[1]->input_count), ElementsAre(3, 4, 5));
  EXPECT_THAT(list(shown.targets, shown.target_count), ElementsAre(1));
  const adze_value& hidden = *shown.values[3];
  EXPECT_STREQ(hidden.name, "hidden");
  EXPECT_EQ(hidden.producer, 0u);
  EXPECT_THAT(list(hidden.consumers, hidden.consumer_count), ElementsAre(1));
  EXPECT_EQ(hidden.batch_axis, 0);
  EXPECT_EQ(hidden.constant, nullptr);
  EXPECT_EQ(shown.values[0]->flags, std::uint32_t{ADZE_VALUE_INPUT});
  EXPECT_EQ(shown.values[6]->flags, std::uint32_t{ADZE_VALUE_OUTPUT});
  EXPECT_EQ(shown.values[1]->producer, ADZE_NONE);
  EXPECT_THAT(adze::f32(shown.values[1]->constant), ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST(View, pointers_and_counts_are_zero_together) {
  const Graph graph = test::two_gemms();
  const View view(graph);
  EXPECT_EQ(view.graph()->target_count, 0u);
  EXPECT_EQ(view.graph()->targets, nullptr);
  EXPECT_EQ(view.graph()->values[6]->consumers, nullptr);
  EXPECT_EQ(view.graph()->values[1]->keep, nullptr);
  const Graph nothing;
  const View empty(nothing);
  EXPECT_EQ(empty.graph()->nodes, nullptr);
  EXPECT_EQ(empty.graph()->node_count, 0u);
}

TEST(View, attributes_become_properties_of_their_type) {
  Graph graph = test::two_gemms();
  graph.nodes[0].attributes = {{"a_float", 0.5},
                               {"b_int", std::int64_t{-3}},
                               {"c_ints", std::vector<std::int64_t>{1, 2}},
                               {"d_text", std::string("SAME")},
                               {"e_texts", std::vector<std::string>{"x", "y"}},
                               {"f_tensor", *graph.values[2].constant},
                               {"g_graph", Subgraph{"..."}},
                               {"h_empty", std::vector<double>{}}};
  const View view(graph);
  const adze_node& node = *view.graph()->nodes[0];
  ASSERT_EQ(node.attribute_count, 8u);
  const auto at = [&](std::size_t i) -> const adze_property& { return *node.attributes[i]; };
  EXPECT_STREQ(at(0).name, "a_float");
  EXPECT_EQ(at(0).f64[0], 0.5);
  EXPECT_EQ(at(1).i64[0], -3);
  EXPECT_EQ(at(2).count, 2u);
  EXPECT_EQ(at(2).i64[1], 2);
  EXPECT_STREQ(at(3).text[0], "SAME");
  EXPECT_STREQ(at(4).text[1], "y");
  EXPECT_EQ(at(5).type, std::uint32_t{ADZE_TENSOR});
  EXPECT_EQ(at(5).tensor->shape[0], 3);
  EXPECT_EQ(at(6).type, std::uint32_t{ADZE_GRAPH});
  EXPECT_EQ(at(7).count, 0u);
  EXPECT_EQ(at(7).f64, nullptr);
}

TEST(View, half_precision_constants_are_shown_as_floats_but_typed_as_stored) {
  Graph graph = test::two_gemms();
  const std::vector<std::uint16_t> halves = {0x3c00, 0xc000, 0x3800};
  graph.values[2].dtype = DType::f16;
  graph.values[2].constant = Tensor(DType::f16, {3}, std::span<const std::uint16_t>(halves));
  const View view(graph);
  const adze_value& shown = *view.graph()->values[2];
  EXPECT_EQ(shown.bits, 16);
  EXPECT_THAT(adze::f32(shown.constant), ElementsAre(1, -2, 0.5f));
}

TEST(View, large_uniform_half_constants_stay_lazy) {
  Graph graph = test::two_gemms();
  graph.values[2].dtype = DType::f16;
  graph.values[2].constant = Tensor::uniform(DType::f16, {std::int64_t{1} << 34}, 0.5);
  const View view(graph);  // as floats it would fill 64 GiB
  const auto elements = adze::f32(view.graph()->values[2]->constant);
  EXPECT_EQ(elements.front(), 0.5f);
  EXPECT_EQ(elements.back(), 0.5f);
}

TEST(View, masks_and_quantization_of_earlier_stages_are_shown) {
  Graph graph = test::two_gemms();
  graph.values[1].keep = {1, 0, 1, 0, 1, 0};
  graph.values[1].quant =
      Quant{.axis = 0, .is_signed = true, .bits = 8, .scale = {1, 2, 3}, .zero_point = {}};
  const View view(graph);
  const adze_value& shown = *view.graph()->values[1];
  EXPECT_EQ(shown.keep[1], 0);
  ASSERT_NE(shown.quant, nullptr);
  EXPECT_EQ(shown.quant->axis, 0);
  EXPECT_EQ(shown.quant->code, ADZE_INT);
  EXPECT_EQ(shown.quant->count, 3u);
  EXPECT_EQ(shown.quant->scale[2], 3);
  EXPECT_EQ(shown.quant->zero_point, nullptr);
}

TEST(View, shows_quantized_constants_as_integers_to_who_takes_them) {
  Graph graph = test::two_gemms();
  Value& weight = graph.values[1];
  const std::vector<std::int8_t> integers{1, 2, 3, 4, 5, -6};
  const Tensor stored(DType::i8, *weight.shape, std::span<const std::int8_t>(integers));
  weight.constant = Tensor::dequantized({stored, -1, {0.5f}, {}});
  weight.quant = Quant{-1, true, 8, {0.5f}, {}};
  const View shown(graph, {}, ConstantsAs::integers);
  const adze_tensor& constant = *shown.graph()->values[1]->constant;
  EXPECT_EQ(constant.code, ADZE_INT);
  EXPECT_EQ(constant.bits, 8);
  EXPECT_EQ(constant.data, stored.bytes().data());
  EXPECT_EQ(shown.graph()->values[1]->bits, 32);
  EXPECT_EQ(shown.constants().at(&constant)->dtype(), DType::i8);
  EXPECT_THAT(adze::f32(View(graph).graph()->values[1]->constant),
              ElementsAre(0.5f, 1, 1.5f, 2, 2.5f, -3));

  weight.quant->scale = {0.25f};  // another quantization than that of the integers
  const View again(graph, {}, ConstantsAs::integers);
  EXPECT_EQ(again.graph()->values[1]->constant->code, ADZE_FLOAT);
}

TEST(View, an_unknown_rank_is_minus_one) {
  Graph graph = test::two_gemms();
  graph.values[3].shape.reset();
  const View view(graph);
  EXPECT_EQ(view.graph()->values[3]->rank, -1);
  EXPECT_EQ(view.graph()->values[3]->shape, nullptr);
}

TEST(View, targets_are_ascending_and_distinct_and_must_exist) {
  const Graph graph = test::two_gemms();
  const View view(graph, {1, 0, 1});
  EXPECT_THAT(list(view.graph()->targets, view.graph()->target_count), ElementsAre(0, 1));
  EXPECT_THROW(View(graph, {2}), Error);
}

TEST(Target, facts_are_sorted_and_typed) {
  const Target target("rzv2h", {{"sparse.group", std::int64_t{16}},
                                {"clock.ai_mhz", 1000.0},
                                {"int8.zero_point", std::string("symmetric")},
                                {"simulated", true},
                                {"units", std::vector<std::string>{"drpai", "cpu"}}});
  const adze_target& shown = *target.get();
  EXPECT_STREQ(shown.board_type, "rzv2h");
  ASSERT_EQ(shown.fact_count, 5u);
  EXPECT_STREQ(shown.facts[0]->name, "clock.ai_mhz");
  EXPECT_EQ(adze::fact(&shown, "clock.ai_mhz")->f64[0], 1000.0);
  EXPECT_EQ(adze::fact(&shown, "sparse.group")->i64[0], 16);
  EXPECT_STREQ(adze::fact(&shown, "int8.zero_point")->text[0], "symmetric");
  EXPECT_EQ(adze::fact(&shown, "simulated")->type, std::uint32_t{ADZE_FLAG});
  EXPECT_STREQ(adze::fact(&shown, "units")->text[1], "cpu");
}

}  // namespace
}  // namespace adze::host
