#include <gtest/gtest.h>

#include <adze/adze.hpp>

namespace {

TEST(Sugar, a_tensor_over_elements_is_row_major) {
  const std::vector<float> elements = {1, 2, 3, 4, 5, 6};
  const std::vector<int64_t> shape = {2, 3};
  const adze::F32Tensor tensor(elements, shape);
  EXPECT_EQ(tensor.get()->ndim, 2);
  EXPECT_EQ(tensor.get()->strides[0], 3);
  EXPECT_EQ(tensor.get()->strides[1], 1);
  EXPECT_THAT(adze::f32(tensor.get()), testing::ElementsAreArray(elements));
  EXPECT_THROW(adze::F32Tensor(elements, std::vector<int64_t>{2, 2}), adze::Error);
}

TEST(Sugar, new_contents_keep_shape_and_check_the_count) {
  const std::vector<float> old_elements = {1, 2}, new_elements = {3, 4}, wrong = {1, 2, 3};
  const adze::F32Tensor tensor(old_elements, std::vector<int64_t>{2});
  const adze_tensor made = adze::with_contents(*tensor.get(), new_elements);
  EXPECT_THAT(adze::f32(&made), testing::ElementsAre(3, 4));
  EXPECT_THROW(static_cast<void>(adze::with_contents(*tensor.get(), wrong)), adze::Error);
}

TEST(Sugar, a_fact_that_is_not_there_is_null) {
  EXPECT_EQ(adze::fact(nullptr, "clock.ai_mhz"), nullptr);
}

TEST(Sugar, parameters_carry_type_default_and_limits) {
  static constexpr adze_param kText = adze::text("mode", "A mode.", "fast");
  static constexpr adze_param kFlag = adze::flag("verify", "Check again.", true);
  EXPECT_EQ(kText.type, uint32_t{ADZE_TEXT});
  EXPECT_STREQ(kText.default_text, "fast");
  EXPECT_EQ(kFlag.type, uint32_t{ADZE_FLAG});
  EXPECT_EQ(kFlag.default_number, 1);
}

/// One node with two inputs, the second of which is the only value there is.
struct OneNode {
  OneNode(const char* op, const char* domain, uint32_t second) : inputs{0, second} {
    value.struct_size = sizeof value;
    value.constant = weight.get();
    node.struct_size = sizeof node;
    node.op = op;
    node.domain = domain;
    node.name = "node";
    node.input_count = 2;
    node.inputs = inputs;
    graph.struct_size = sizeof graph;
    graph.value_count = 1;
    graph.values = &values;
  }
  uint32_t weight_index() const { return adze::weight_of(graph, node); }

  std::vector<float> elements = {1, 2};
  adze::F32Tensor weight{elements, std::vector<int64_t>{2}};
  uint32_t inputs[2];
  adze_value value{};
  const adze_value* values = &value;
  adze_node node{};
  adze_graph graph{};
};

TEST(Sugar, only_layers_of_onnx_that_name_their_weight_have_one) {
  EXPECT_EQ(OneNode("Conv", "", 0).weight_index(), 0u);
  EXPECT_EQ(OneNode("Conv", "", ADZE_NONE).weight_index(), uint32_t{ADZE_NONE});
  EXPECT_EQ(OneNode("Conv", "org.example", 0).weight_index(), uint32_t{ADZE_NONE});
  EXPECT_EQ(OneNode("Relu", "", 0).weight_index(), uint32_t{ADZE_NONE});
}

}  // namespace
