#include "host/edit/edit.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <limits>

#include "host/base/error.hpp"
#include "tests/bad_plugins/graphs.hpp"

namespace adze::host {
namespace {

using testing::ElementsAre;

Tensor tensor(Shape shape, std::vector<float> elements) {
  return {DType::f32, std::move(shape), std::span<const float>(elements)};
}

Quant int8(std::vector<float> scale, std::int32_t axis = -1) {
  return {.axis = axis, .is_signed = true, .bits = 8, .scale = std::move(scale)};
}

template <class Body>
adze_status code_of(Body&& body) {
  try {
    body();
    return ADZE_OK;
  } catch (const Error& error) {
    EXPECT_STRNE(error.what(), "");
    return error.code;
  }
}

class EditListTest : public testing::Test {
 protected:
  const std::vector<std::uint8_t> keep = {0, 1, 1, 1, 1, 0};
  Graph graph = test::two_gemms();
  EditList edits{graph, {0}};
};

TEST_F(EditListTest, rejects_mask_with_wrong_count) {
  EXPECT_EQ(code_of([&] { edits.set_mask(1, std::span(keep).first(5)); }), ADZE_INVALID_ARGUMENT);
  EXPECT_TRUE(edits.edits().empty());
}

TEST_F(EditListTest, rejects_values_that_do_not_exist_or_are_no_constants) {
  EXPECT_EQ(code_of([&] { edits.set_mask(99, keep); }), ADZE_INVALID_ARGUMENT);
  EXPECT_EQ(code_of([&] { edits.set_mask(kNone, keep); }), ADZE_INVALID_ARGUMENT);
  EXPECT_EQ(code_of([&] { edits.set_constant(0, tensor({1, 2}, {1, 2})); }), ADZE_INVALID_ARGUMENT);
}

TEST_F(EditListTest, rejects_weights_of_nodes_that_are_no_targets) {
  EXPECT_EQ(code_of([&] { edits.set_mask(4, keep); }), ADZE_PERMISSION_DENIED);
  EXPECT_EQ(code_of([&] { edits.set_constant(5, tensor({2}, {1, 2})); }), ADZE_PERMISSION_DENIED);
}

TEST_F(EditListTest, a_layer_to_correct_gets_new_contents_but_neither_masks_nor_zeros) {
  EditList corrects(graph, {0}, {1});
  EXPECT_EQ(code_of([&] { corrects.set_mask(4, keep); }), ADZE_PERMISSION_DENIED);
  EXPECT_EQ(code_of([&] {
              corrects.set_constant(4, tensor({2, 3}, {1, 2, 3, 4, 0, 6}));
            }),
            ADZE_FAILED_PRECONDITION);
  corrects.set_constant(4, tensor({2, 3}, {1, 2, 3, 4, 5, 6}));
  corrects.set_constant(5, tensor({2}, {1, 0}));  // was 0
  EXPECT_THAT(corrects.commit().values[4].constant->as<float>(), ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST_F(EditListTest, a_weight_that_a_target_shares_with_a_layer_to_correct_stays_dense) {
  graph.nodes[1].inputs[1] = 1;
  graph.values[1].consumers = {0, 1};
  EditList corrects(graph, {0}, {1});
  EXPECT_EQ(code_of([&] { corrects.set_mask(1, keep); }), ADZE_PERMISSION_DENIED);
  EXPECT_EQ(code_of([&] {
              corrects.set_constant(1, tensor({3, 2}, {1, 2, 0, 4, 5, 6}));
            }),
            ADZE_FAILED_PRECONDITION);
}

TEST_F(EditListTest, rejects_a_weight_that_a_target_shares_with_another_node) {
  graph.nodes[1].inputs[1] = 1;
  graph.values[1].consumers = {0, 1};
  EXPECT_EQ(code_of([&] { edits.set_mask(1, keep); }), ADZE_PERMISSION_DENIED);
}

TEST_F(EditListTest, rejects_constants_of_another_shape_type_or_not_finite) {
  EXPECT_EQ(code_of([&] {
              edits.set_constant(1, tensor({2, 3}, {1, 2, 3, 4, 5, 6}));
            }),
            ADZE_INVALID_ARGUMENT);
  EXPECT_EQ(code_of([&] {
              edits.set_constant(1, Tensor(DType::f64, {3, 2}));
            }),
            ADZE_INVALID_ARGUMENT);
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(code_of([&] {
              edits.set_constant(1, tensor({3, 2}, {1, 2, 3, 4, 5, infinity}));
            }),
            ADZE_INVALID_ARGUMENT);
}

TEST_F(EditListTest, a_pruned_weight_stays_exactly_zero) {
  edits.set_mask(1, keep);
  const Graph pruned = edits.commit();
  EditList next(pruned, {0});
  EXPECT_EQ(code_of([&] {
              next.set_constant(1, tensor({3, 2}, {1, 2, 3, 4, 5, 0}));
            }),
            ADZE_FAILED_PRECONDITION);
  next.set_constant(1, tensor({3, 2}, {0, 9, 9, 9, 9, 0}));
  EXPECT_THAT(next.commit().values[1].constant->as<float>(), ElementsAre(0, 9, 9, 9, 9, 0));
}

TEST_F(EditListTest, masks_add_up_and_win_over_constants_of_the_same_list) {
  edits.set_mask(1, keep);
  const Graph once = edits.commit();
  EditList next(once, {0});
  next.set_mask(1, std::vector<std::uint8_t>{1, 0, 1, 1, 1, 1});
  next.set_constant(1, tensor({3, 2}, {0, 7, 7, 7, 7, 0}));
  const Graph twice = next.commit();
  EXPECT_THAT(twice.values[1].keep, ElementsAre(0, 0, 1, 1, 1, 0));
  EXPECT_THAT(twice.values[1].constant->as<float>(), ElementsAre(0, 0, 7, 7, 7, 0));
}

TEST_F(EditListTest, the_graph_as_shown_is_never_touched) {
  edits.set_mask(1, keep);
  edits.set_quant(3, int8({0.5f}));
  const Graph committed = edits.commit();
  EXPECT_TRUE(graph.values[1].keep.empty());
  EXPECT_THAT(graph.values[1].constant->as<float>(), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_FALSE(graph.values[3].quant);
  EXPECT_TRUE(committed.values[3].quant);
}

TEST_F(EditListTest, constants_that_nobody_edits_are_shared_not_copied) {
  edits.set_mask(1, keep);
  EXPECT_EQ(edits.commit().values[4].constant->bytes().data(),
            graph.values[4].constant->bytes().data());
}

TEST_F(EditListTest, records_the_pattern_and_keeps_it_when_more_is_pruned) {
  edits.set_mask(1, keep);
  const Graph first = edits.commit("1:2");
  EXPECT_EQ(first.values[1].pattern, "1:2");
  EditList next(first, {0});
  next.set_mask(1, std::vector<std::uint8_t>{1, 0, 1, 1, 1, 1});
  EXPECT_EQ(next.commit().values[1].pattern, "1:2");
  EXPECT_EQ(next.commit("4:16").values[1].pattern, "4:16");
}

TEST_F(EditListTest, of_two_edits_of_one_kind_the_later_counts_and_rewind_brings_back_the_first) {
  edits.set_mask(1, keep);
  const std::uint64_t mark = edits.mark();
  edits.set_mask(1, std::vector<std::uint8_t>{1, 0, 1, 1, 1, 1});
  EXPECT_THAT(edits.commit().values[1].keep, ElementsAre(1, 0, 1, 1, 1, 1));
  edits.rewind(mark);
  EXPECT_THAT(edits.commit().values[1].keep, ElementsAre(0, 1, 1, 1, 1, 0));
  EXPECT_EQ(code_of([&] { edits.rewind(mark + 1); }), ADZE_INVALID_ARGUMENT);
}

TEST_F(EditListTest, accepts_sound_quantization_and_undoes_it) {
  edits.set_quant(1, int8({0.1f, 0.2f, 0.3f}, 0));
  edits.set_quant(6, Quant{.axis = -1, .is_signed = false, .scale = {0.5f}, .zero_point = {128}});
  const Graph quantized = edits.commit();
  EXPECT_EQ(quantized.values[1].quant->scale.size(), 3u);
  EXPECT_EQ(quantized.values[6].quant->zero_point.front(), 128);
  EditList next(quantized, {});
  next.set_quant(6, std::nullopt);
  EXPECT_FALSE(next.commit().values[6].quant);
}

TEST_F(EditListTest, rejects_unsound_quantization) {
  const auto code = [&](std::uint32_t value, Quant quant) {
    return code_of([&] { edits.set_quant(value, std::move(quant)); });
  };
  EXPECT_EQ(code(99, int8({1})), ADZE_INVALID_ARGUMENT);
  EXPECT_EQ(code(1, int8({0})), ADZE_INVALID_ARGUMENT);
  EXPECT_EQ(code(1, int8({-1})), ADZE_INVALID_ARGUMENT);
  EXPECT_EQ(code(1, int8({std::numeric_limits<float>::quiet_NaN()})), ADZE_INVALID_ARGUMENT);
  EXPECT_EQ(code(1, int8({1, 1}, 0)), ADZE_INVALID_ARGUMENT);
  EXPECT_EQ(code(1, int8({1}, 2)), ADZE_INVALID_ARGUMENT);
  EXPECT_EQ(code(0, int8({1}, 0)), ADZE_INVALID_ARGUMENT) << "the batch has no fixed size";
  EXPECT_EQ(code(2, int8({1})), ADZE_INVALID_ARGUMENT) << "a bias";
  Quant out_of_range = int8({1});
  out_of_range.zero_point = {128};
  EXPECT_EQ(code(0, out_of_range), ADZE_INVALID_ARGUMENT);
  Quant one_bit = int8({1});
  one_bit.bits = 1;
  EXPECT_EQ(code(0, one_bit), ADZE_INVALID_ARGUMENT);
  EXPECT_TRUE(edits.edits().empty());
}

TEST_F(EditListTest, half_precision_weights_are_edited_as_floats_and_stored_as_halves) {
  const std::vector<std::uint16_t> halves(6, 0x3c00);  // 1.0
  graph.values[1].dtype = DType::f16;
  graph.values[1].constant = Tensor(DType::f16, {3, 2}, std::span<const std::uint16_t>(halves));
  edits.set_constant(1, tensor({3, 2}, {1, -2, 0.5f, 65504, 0.0999755859375f, 3}));
  edits.set_mask(1, std::vector<std::uint8_t>{1, 1, 1, 1, 1, 0});
  const Graph committed = edits.commit();
  EXPECT_THAT(committed.values[1].constant->as<std::uint16_t>(),
              ElementsAre(0x3c00, 0xc000, 0x3800, 0x7bff, 0x2e66, 0));
}

}  // namespace
}  // namespace adze::host
