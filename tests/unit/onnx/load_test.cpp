#include "host/base/error.hpp"
#include "host/graph/simplify.hpp"
#include "host/onnx/model.hpp"
#include "model_builder.hpp"

namespace adze::host {
namespace {

using testing::ElementsAre;

TEST(LoadModel, keeps_names_and_order_and_fills_shapes) {
  const Graph graph = parse_model(small_cnn().bytes(), {});
  EXPECT_THAT(operators(graph), ElementsAre("Conv", "BatchNormalization", "Relu",
                                            "GlobalAveragePool", "Flatten", "Gemm"));
  EXPECT_EQ(value_named(graph, "c").shape, (Shape{1, 4, 8, 8}));
  EXPECT_EQ(value_named(graph, "y").shape, (Shape{1, 5}));
  EXPECT_EQ(graph.opset, 13);
  EXPECT_EQ(graph.nodes[0].name, "conv");
  EXPECT_EQ(graph.nodes[0].op_version, 11u);
  EXPECT_EQ(graph.nodes[2].op_version, 13u);
}

TEST(LoadModel, fills_in_default_attributes) {
  const Graph graph = parse_model(small_cnn().bytes(), {});
  EXPECT_EQ(attribute_or<std::int64_t>(graph.nodes[0], "group", -7), 1);
  EXPECT_EQ(attribute_or<std::int64_t>(graph.nodes[4], "axis", -7), 1);
  EXPECT_EQ(attribute_or<double>(graph.nodes[5], "alpha", -7), 1.0);
}

TEST(LoadModel, gives_every_node_its_own_weight_and_bias) {
  ModelBuilder builder;
  builder.input("x", {1, 4, 5, 5}).output("y", {1, 4, 5, 5}).ramp("w", {4, 4, 1, 1});
  builder.node("Conv", {"x", "w"}, {"a"}, "one").node("Conv", {"a", "w"}, {"y"}, "two");
  const Graph graph = parse_model(builder.bytes(), {});
  EXPECT_NE(graph.nodes[0].inputs[1], graph.nodes[1].inputs[1]);
  EXPECT_EQ(graph.value(graph.nodes[0].inputs[1]).name, "w");
  EXPECT_EQ(graph.value(graph.nodes[1].inputs[1]).name, "two/weight");
  for (const Node& node : graph.nodes) {
    const Value& bias = graph.value(node.inputs.at(2));
    EXPECT_EQ(bias.shape, Shape{4});
    EXPECT_THAT(to_f32(*bias.constant), ElementsAre(0, 0, 0, 0));
  }
}

TEST(LoadModel, sorts_nodes_that_are_out_of_order) {
  ModelBuilder builder;
  builder.input("x", {1, 4}).output("y", {1, 4});
  builder.node("Relu", {"a"}, {"y"}).node("Sigmoid", {"x"}, {"a"});
  EXPECT_THAT(operators(parse_model(builder.bytes(), {})), ElementsAre("Sigmoid", "Relu"));
}

TEST(LoadModel, names_nameless_nodes) {
  ModelBuilder builder;
  builder.input("x", {1, 4}).output("y", {1, 4});
  builder.node("Relu", {"x"}, {"a"}).node("Relu", {"a"}, {"y"});
  for (auto& node : *builder.model.mutable_graph()->mutable_node()) node.clear_name();
  const Graph graph = parse_model(builder.bytes(), {});
  EXPECT_EQ(graph.nodes[0].name, "Relu_0");
  EXPECT_EQ(graph.nodes[1].name, "Relu_1");
}

TEST(LoadModel, converts_old_opsets_to_13) {
  ModelBuilder builder(9, 4);
  builder.input("x", {1, 3, 4}).output("y", {1, 1, 12});
  builder.node("Unsqueeze", {"x"}, {"u"}, "unsqueeze")
      .attribute("axes", std::vector<std::int64_t>{0});
  builder.integers("shape", {1, 1, 12}).node("Reshape", {"u", "shape"}, {"y"}, "reshape");
  Graph graph = parse_model(builder.bytes(), {});
  EXPECT_EQ(graph.opset, 13);
  EXPECT_EQ(graph.nodes[0].op_version, 13u);
  ASSERT_EQ(graph.nodes[0].inputs.size(), 2u);  // axes became an input
  EXPECT_TRUE(graph.value(graph.nodes[0].inputs[1]).constant);
  EXPECT_EQ(graph.value(graph.outputs[0]).shape, (Shape{1, 1, 12}));
}

TEST(LoadModel, keeps_newer_opsets) {
  for (const std::int64_t opset : {13, 15, 17}) {
    const Graph graph = parse_model(small_cnn(opset).bytes(), {});
    EXPECT_EQ(graph.opset, opset);
    EXPECT_EQ(graph.nodes[1].op_version, opset < 14 ? 9u : opset < 15 ? 14u : 15u);
  }
}

TEST(LoadModel, knows_operators_newer_than_the_library) {
  ModelBuilder builder(22, 10);
  builder.input("x", {"N", 4, 6, 6}).output("y", {"N", 4}).ramp("w", {4, 4, 3, 3});
  builder.integers("axes", {2, 3});
  builder.node("Conv", {"x", "w"}, {"c"}, "conv")
      .node("Gelu", {"c"}, {"g"})
      .node("ReduceMean", {"g", "axes"}, {"y"}, "mean")
      .attribute("keepdims", std::int64_t{0});
  const Graph graph = parse_model(builder.bytes(), {});
  EXPECT_EQ(graph.opset, 22);
  EXPECT_EQ(graph.nodes[0].op_version, 22u);
  EXPECT_EQ(graph.nodes[1].op_version, 20u);
  EXPECT_EQ(graph.nodes[2].op_version, 18u);
  EXPECT_EQ(graph.nodes[2].inputs.size(), 2u);
  EXPECT_EQ(value_named(graph, "y").shape, (Shape{1, 4}));
  EXPECT_EQ(value_named(graph, "y").batch_axis, 0);
  const auto bytes = serialize_model(graph);
  EXPECT_EQ(parse_model(bytes, {}).opset, 22);
}

TEST(LoadModel, refuses_features_of_newer_opsets_it_cannot_infer) {
  ModelBuilder builder(19, 9);
  builder.input("x", {1, 4, 6, 6}).output("y", {1, 4, 2, 2});
  builder.node("AveragePool", {"x"}, {"y"}, "pool")
      .attribute("kernel_shape", std::vector<std::int64_t>{3, 3})
      .attribute("dilations", std::vector<std::int64_t>{2, 2});
  try {
    parse_model(builder.bytes(), {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code, ADZE_UNIMPLEMENTED);
    EXPECT_THAT(error.what(), testing::HasSubstr("'pool'"));
  }
}

TEST(LoadModel, inlines_the_models_own_functions) {
  ModelBuilder builder(14, 8);
  builder.input("x", {1, 4}).output("y", {1, 4});
  builder.node("Leaky", {"x"}, {"a"}, "first").node("Leaky", {"a"}, {"y"}, "second");
  for (auto& node : *builder.model.mutable_graph()->mutable_node()) node.set_domain("local");
  auto& slope = *builder.model.mutable_graph()->mutable_node(0)->add_attribute();
  slope.set_name("slope");
  slope.set_type(onnx::AttributeProto::FLOAT);
  slope.set_f(0.25f);
  auto& import = *builder.model.add_opset_import();
  import.set_domain("local");
  import.set_version(1);
  auto& function = *builder.model.add_functions();
  function.set_name("Leaky");
  function.set_domain("local");
  function.add_input("in");
  function.add_output("out");
  function.add_attribute("slope");
  auto& used = *function.add_opset_import();
  used.set_domain("");
  used.set_version(14);
  auto& body = *function.add_node();
  body.set_op_type("LeakyRelu");
  body.add_input("in");
  body.add_output("inner");
  auto& alpha = *body.add_attribute();
  alpha.set_name("alpha");
  alpha.set_type(onnx::AttributeProto::FLOAT);
  alpha.set_ref_attr_name("slope");
  auto& tail = *function.add_node();
  tail.set_op_type("Relu");
  tail.add_input("inner");
  tail.add_output("out");

  const Graph graph = parse_model(builder.bytes(), {});
  EXPECT_THAT(operators(graph), ElementsAre("LeakyRelu", "Relu", "LeakyRelu", "Relu"));
  EXPECT_EQ(attribute_or<double>(graph.nodes[0], "alpha", 0), 0.25);
  EXPECT_FLOAT_EQ(static_cast<float>(attribute_or<double>(graph.nodes[2], "alpha", 0)), 0.01f);

  body.set_op_type("Leaky");
  body.set_domain("local");
  EXPECT_THROW(parse_model(builder.bytes(), {}), Error) << "recursion";
}

TEST(Batch, symbolic_first_dimension_is_the_batch) {
  const Graph graph = parse_model(small_cnn().bytes(), {});
  for (const Value& value : graph.values)
    EXPECT_EQ(value.batch_axis, value.constant ? -1 : 0) << value.name;
  EXPECT_EQ(graph.symbols, (std::map<std::string, std::string>{{"x", "N"}, {"y", "N"}}));
}

TEST(Batch, symbol_comes_back_on_saving) {
  for (const std::string symbol : {"N", ""}) {
    ModelBuilder builder = small_cnn();
    auto& dim = *builder.model.mutable_graph()
                     ->mutable_input(0)
                     ->mutable_type()
                     ->mutable_tensor_type()
                     ->mutable_shape()
                     ->mutable_dim(0);
    if (symbol.empty()) dim.clear_dim_param();
    const auto bytes = serialize_model(parse_model(builder.bytes(), {}));
    onnx::ModelProto saved;
    ASSERT_TRUE(saved.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
    const auto& shape = saved.graph().input(0).type().tensor_type().shape();
    EXPECT_EQ(shape.dim(0).dim_param(), symbol);
    EXPECT_FALSE(shape.dim(0).has_dim_value());
    EXPECT_EQ(shape.dim(1).dim_value(), 3);
    EXPECT_EQ(saved.graph().output(0).type().tensor_type().shape().dim(0).dim_param(), "N");
  }
}

TEST(Batch, fixed_one_is_the_batch_when_everything_follows) {
  ModelBuilder builder;
  builder.input("x", {1, 3, 8, 8}).output("y", {1, 3, 8, 8}).node("Relu", {"x"}, {"y"});
  const Graph graph = parse_model(builder.bytes(), {});
  EXPECT_EQ(value_named(graph, "x").batch_axis, 0);
  EXPECT_EQ(value_named(graph, "y").batch_axis, 0);
  EXPECT_TRUE(graph.symbols.empty());
  const auto bytes = serialize_model(graph);
  onnx::ModelProto saved;
  ASSERT_TRUE(saved.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
  EXPECT_EQ(saved.graph().input(0).type().tensor_type().shape().dim(0).dim_value(), 1);
}

TEST(Batch, fixed_one_is_none_when_a_node_mixes_samples) {
  ModelBuilder builder;
  builder.input("x", {1, 6}).output("y", {1, 6});
  builder.node("ReduceMean", {"x"}, {"m"}, "mean")
      .attribute("axes", std::vector<std::int64_t>{0})
      .attribute("keepdims", std::int64_t{1});
  builder.node("Sub", {"x", "m"}, {"y"});
  for (const Value& value : parse_model(builder.bytes(), {}).values)
    EXPECT_EQ(value.batch_axis, -1) << value.name;
}

TEST(Batch, frozen_reshape_target_is_freed) {
  ModelBuilder builder;
  builder.input("x", {1, 3, 4, 4}).output("y", {1, 48}).integers("shape", {1, 48});
  builder.node("Reshape", {"x", "shape"}, {"y"}, "reshape");
  const Graph graph = parse_model(builder.bytes(), {});
  EXPECT_EQ(value_named(graph, "y").batch_axis, 0);
  EXPECT_THAT(graph.value(graph.nodes[0].inputs[1]).constant->as<std::int64_t>(),
              ElementsAre(0, 48));
}

TEST(Batch, several_sizes_per_sample_double) {
  ModelBuilder builder;
  builder.input("x", {"N", 3, 4}).output("y", {"", 4}).integers("shape", {-1, 4});
  builder.node("Reshape", {"x", "shape"}, {"y"});
  const Graph graph = parse_model(builder.bytes(), {});
  EXPECT_EQ(value_named(graph, "y").shape, (Shape{3, 4}));
  EXPECT_EQ(value_named(graph, "y").batch_axis, 0);
}

// x.view(x.size(0), -1), as exporters write it.
TEST(Batch, flattening_by_shape_arithmetic_becomes_flatten) {
  ModelBuilder builder;
  builder.input("x", {"N", 3, 4, 4}).output("y", {"N", 48});
  builder.constant<std::int64_t>("zero", onnx::TensorProto::INT64, {}, {0});
  builder.integers("axes", {0}).integers("rest", {-1});
  builder.node("Shape", {"x"}, {"s"})
      .node("Gather", {"s", "zero"}, {"n"})
      .node("Unsqueeze", {"n", "axes"}, {"n1"})
      .node("Concat", {"n1", "rest"}, {"target"})
      .attribute("axis", std::int64_t{0})
      .node("Reshape", {"x", "target"}, {"y"});
  Graph graph = parse_model(builder.bytes(), {});
  EXPECT_EQ(value_named(graph, "y").shape, (Shape{1, 48}));
  EXPECT_EQ(value_named(graph, "y").batch_axis, 0);
  simplify(graph);
  EXPECT_THAT(operators(graph), ElementsAre("Flatten"));
}

// Pads computed from the rank, as PyTorch writes them: libonnx alone gives up on the shape.
TEST(Shapes, of_outputs_that_depend_on_the_data_are_as_declared) {
  ModelBuilder b;
  b.input("x", {4, 4}).output("places", {2, 3}, onnx::TensorProto::INT64);
  b.output("open", {2, "n"}, onnx::TensorProto::INT64);
  b.node("NonZero", {"x"}, {"places"}).node("NonZero", {"x"}, {"open"});
  const Graph graph = parse_model(b.bytes(), {});
  EXPECT_EQ(graph.value(graph.find_value("places")).shape, (Shape{2, 3}));
  EXPECT_EQ(graph.value(graph.find_value("open")).shape, (Shape{2, -1}));
}

TEST(Shapes, follow_arithmetic_that_the_library_does_not) {
  ModelBuilder builder;
  builder.input("x", {"N", 3, 4, 4}).output("y", {"N", 3, 6, 6});
  builder.integers("eight", {8}).integers("given", {1, 1, 1, 1}).integers("four", {4});
  builder.constant<std::int64_t>("half", onnx::TensorProto::INT64, {2, 4},
                                 {0, 0, 1, 1, 0, 0, 1, 1});
  builder.integers("flat", {-1});
  builder.node("ConstantOfShape", {"eight"}, {"zeros"})
      .attribute<std::int64_t>("value", onnx::TensorProto::INT64, {1}, {0})
      .node("Reshape", {"half", "flat"}, {"h"})
      .node("Add", {"h", "zeros"}, {"pads"})
      .node("Pad", {"x", "pads"}, {"y"}, "pad");
  Graph graph = parse_model(builder.bytes(), {});
  EXPECT_EQ(value_named(graph, "y").shape, (Shape{1, 3, 6, 6}));
  simplify(graph);
  EXPECT_THAT(operators(graph), ElementsAre("Pad"));
}

}  // namespace
}  // namespace adze::host
