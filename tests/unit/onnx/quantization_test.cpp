#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "host/graph/simplify.hpp"
#include "host/onnx/model.hpp"
#include "model_builder.hpp"

namespace adze::host {
namespace {

using testing::ElementsAre;

Graph simplified(const ModelBuilder& builder) {
  Graph graph = parse_model(builder.bytes(), {});
  simplify(graph);
  return graph;
}

onnx::ModelProto saved(const Graph& graph) {
  const auto bytes = serialize_model(graph);
  onnx::ModelProto model;
  EXPECT_TRUE(model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
  return model;
}

void expect_equal(const Graph& a, const Graph& b) {
  ASSERT_EQ(a.values.size(), b.values.size());
  for (std::size_t v = 0; v < a.values.size(); ++v) {
    const Value &left = a.values[v], &right = b.values[v];
    EXPECT_EQ(left.name, right.name);
    EXPECT_EQ(left.dtype, right.dtype) << left.name;
    EXPECT_EQ(left.shape, right.shape) << left.name;
    EXPECT_EQ(left.batch_axis, right.batch_axis) << left.name;
    EXPECT_EQ(left.quant, right.quant) << left.name;
    EXPECT_EQ(left.keep, right.keep) << left.name;
    EXPECT_EQ(left.pattern, right.pattern) << left.name;
    EXPECT_EQ(left.producer, right.producer) << left.name;
    EXPECT_EQ(left.consumers, right.consumers) << left.name;
    ASSERT_EQ(left.constant.has_value(), right.constant.has_value()) << left.name;
    if (left.constant) {
      EXPECT_TRUE(std::ranges::equal(left.constant->bytes(), right.constant->bytes())) << left.name;
    }
  }
  ASSERT_EQ(a.nodes.size(), b.nodes.size());
  for (std::size_t n = 0; n < a.nodes.size(); ++n) {
    EXPECT_EQ(a.nodes[n].name, b.nodes[n].name);
    EXPECT_EQ(a.nodes[n].op, b.nodes[n].op);
    EXPECT_EQ(a.nodes[n].op_version, b.nodes[n].op_version);
    EXPECT_EQ(a.nodes[n].inputs, b.nodes[n].inputs) << a.nodes[n].name;
    EXPECT_EQ(a.nodes[n].outputs, b.nodes[n].outputs) << a.nodes[n].name;
    EXPECT_EQ(a.nodes[n].attributes.size(), b.nodes[n].attributes.size()) << a.nodes[n].name;
  }
  EXPECT_EQ(a.inputs, b.inputs);
  EXPECT_EQ(a.outputs, b.outputs);
  EXPECT_EQ(a.metadata, b.metadata);
  EXPECT_EQ(a.symbols, b.symbols);
  EXPECT_EQ(a.opset, b.opset);
}

// Rounds a constant to the levels of `quant`, as a quantizer would.
void round_constant(Value& value) {
  const Quant& quant = *value.quant;
  const auto elements = value.constant->mutate<float>();
  const std::size_t channel = elements.size() / quant.scale.size();
  for (std::size_t i = 0; i < elements.size(); ++i) {
    const float scale = quant.scale[quant.axis < 0 ? 0 : i / channel];
    elements[i] = std::nearbyint(elements[i] / scale) * scale + 0.0f;  // no negative zero
  }
}

// small_cnn, quantized as adze.quantize.ptq does it: after Relu, not before.
Graph quantized_cnn(std::uint8_t bits = 8) {
  Graph graph = simplified(small_cnn());
  const auto set = [&](const std::string& name, const Quant& quant) {
    graph.values[graph.find_value(name)].quant = quant;
  };
  const auto activation = [&](float scale) {
    return Quant{.axis = -1, .is_signed = false, .bits = bits, .scale = {scale}, .zero_point = {}};
  };
  set("x", {.axis = -1, .is_signed = false, .bits = bits, .scale = {0.0125f}, .zero_point = {64}});
  set("r", activation(0.05f));
  set("p", activation(0.02f));
  set("f", activation(0.02f));
  set("y", {.axis = -1, .is_signed = false, .bits = bits, .scale = {0.1f}, .zero_point = {64}});
  for (Node& node : graph.nodes) {
    const std::uint32_t weight = weight_of(graph, node);
    if (weight == kNone) continue;
    Value& value = graph.values[weight];
    value.quant = Quant{.axis = 0, .is_signed = true, .bits = 8, .scale = {}, .zero_point = {}};
    for (std::int64_t c = 0; c < (*value.shape)[0]; ++c)
      value.quant->scale.push_back(0.03f + 0.001f * static_cast<float>(c));
    round_constant(value);
    Value& bias = graph.values[node.inputs[2]];
    const auto elements = bias.constant->mutate<float>();
    for (std::size_t c = 0; c < elements.size(); ++c) {
      const float step = value.quant->scale[c] * graph.value(node.inputs[0]).quant->scale[0];
      elements[c] =
          static_cast<float>(std::nearbyint(elements[c] / step) * static_cast<double>(step));
    }
  }
  return graph;
}

// PyTorch exports equal zero points once, with an Identity for each other reader.
TEST(Quantization, folds_a_pair_whose_zero_point_is_behind_an_identity) {
  ModelBuilder b;
  b.input("x", {1, 4}).output("y", {1, 4});
  b.constant<float>("scale", onnx::TensorProto::FLOAT, {1}, {0.5f});
  b.constant<std::uint8_t>("point", onnx::TensorProto::UINT8, {1}, {7});
  b.node("Identity", {"point"}, {"same"});
  b.node("Relu", {"x"}, {"r"});
  b.node("QuantizeLinear", {"r", "scale", "same"}, {"q"});
  b.node("DequantizeLinear", {"q", "scale", "same"}, {"d"});
  b.node("Sigmoid", {"d"}, {"y"});
  const Graph graph = simplified(b);
  ASSERT_EQ(graph.nodes.size(), 2u);
  const auto& quant = graph.value(graph.nodes[0].outputs[0]).quant;
  ASSERT_TRUE(quant.has_value());
  EXPECT_EQ(quant->axis, -1);
  EXPECT_THAT(quant->zero_point, ElementsAre(7));
}

TEST(Quantization, round_trip_gives_the_same_graph) {
  for (const std::uint8_t bits : {std::uint8_t{8}, std::uint8_t{7}}) {
    const Graph graph = quantized_cnn(bits);
    const auto bytes = serialize_model(graph);
    const Graph again = parse_model(bytes, {});
    expect_equal(graph, again);
    EXPECT_EQ(serialize_model(again), bytes);
    EXPECT_EQ(serialize_model(graph), bytes);
  }
}

TEST(Quantization, file_has_pairs_where_onnx_runtime_fuses_them) {
  const onnx::ModelProto model = saved(quantized_cnn());
  std::map<std::string, const onnx::NodeProto*> producer;
  std::map<std::string, int> count;
  for (const auto& node : model.graph().node()) {
    ++count[node.op_type()];
    for (const auto& output : node.output()) producer[output] = &node;
  }
  EXPECT_EQ(count["QuantizeLinear"], 5);    // x, r, p, f, y
  EXPECT_EQ(count["DequantizeLinear"], 9);  // and two weights, two biases
  EXPECT_EQ(producer.at("y")->op_type(), "DequantizeLinear");
  std::map<std::string, const onnx::TensorProto*> tensors;
  for (const auto& tensor : model.graph().initializer()) tensors[tensor.name()] = &tensor;
  for (const auto& node : model.graph().node()) {
    if (node.op_type() != "Conv" && node.op_type() != "Gemm") continue;
    const onnx::TensorProto* parts[3] = {};
    for (int i = 0; i < 3; ++i) {
      ASSERT_EQ(producer.at(node.input(i))->op_type(), "DequantizeLinear") << node.input(i);
      if (i > 0) parts[i] = tensors.at(producer.at(node.input(i))->input(0));
    }
    EXPECT_EQ(parts[1]->data_type(), onnx::TensorProto::INT8);
    EXPECT_EQ(parts[2]->data_type(), onnx::TensorProto::INT32);
    if (node.op_type() != "Conv") continue;
    for (const auto& next : model.graph().node()) {
      if (next.op_type() == "Relu") {
        EXPECT_EQ(next.input(0), node.output(0));
      }
    }
  }
}

TEST(Quantization, bias_step_is_the_product_of_input_and_weight_steps) {
  const Graph graph = quantized_cnn();
  const Value& weight = graph.value(weight_of(graph, graph.nodes[0]));
  const onnx::ModelProto model = saved(graph);
  for (const auto& tensor : model.graph().initializer()) {
    if (tensor.name() != "conv/bias_scale") continue;
    std::vector<float> scale(4);
    ASSERT_EQ(tensor.raw_data().size(), 16u);
    std::memcpy(scale.data(), tensor.raw_data().data(), 16);
    for (std::size_t c = 0; c < scale.size(); ++c)
      EXPECT_EQ(scale[c], weight.quant->scale[c] * 0.0125f);
    return;
  }
  FAIL() << "no bias scale";
}

TEST(Quantization, uses_elsewhere_see_the_unquantized_value) {
  ModelBuilder builder;
  builder.input("x", {1, 4}).output("y", {1, 4}).output("z", {1, 4});
  builder.floats("s", {}, {0.5f}).constant<std::uint8_t>("zp", onnx::TensorProto::UINT8, {}, {3});
  builder.node("Relu", {"x"}, {"a"})
      .node("QuantizeLinear", {"a", "s", "zp"}, {"q"})
      .node("DequantizeLinear", {"q", "s", "zp"}, {"d"})
      .node("Sigmoid", {"d"}, {"y"})
      .node("Tanh", {"a"}, {"z"});
  const Graph graph = simplified(builder);
  EXPECT_FALSE(value_named(graph, "a").quant);
  const Value& seen = graph.value(graph.nodes[graph.find_node("y")].inputs[0]);
  ASSERT_TRUE(seen.quant);
  EXPECT_EQ(seen.quant->scale, std::vector<float>{0.5f});
  EXPECT_EQ(seen.quant->zero_point, std::vector<std::int32_t>{3});
  EXPECT_EQ(graph.nodes[graph.find_node("z")].inputs[0], graph.find_value("a"));
  expect_equal(graph, parse_model(serialize_model(graph), {}));
}

TEST(Quantization, several_dequantizers_of_one_value_are_one) {
  ModelBuilder builder;
  builder.input("x", {1, 4}).output("y", {1, 4}).floats("s", {}, {0.5f});
  builder.constant<std::uint8_t>("zp", onnx::TensorProto::UINT8, {}, {3});
  builder.node("QuantizeLinear", {"x", "s", "zp"}, {"q"})
      .node("DequantizeLinear", {"q", "s", "zp"}, {"d1"})
      .node("DequantizeLinear", {"q", "s", "zp"}, {"d2"})
      .node("Add", {"d1", "d2"}, {"y"});
  const Graph graph = simplified(builder);
  EXPECT_THAT(operators(graph), ElementsAre("Add"));
  EXPECT_EQ(graph.nodes[0].inputs, (std::vector<std::uint32_t>{0, 0}));
  EXPECT_TRUE(value_named(graph, "x").quant);
}

TEST(Quantization, quantized_floating_point_weights_are_rounded) {
  ModelBuilder builder;
  builder.input("x", {1, 2}).output("y", {1, 2});
  builder.floats("w", {2, 2}, {0.24f, -0.26f, 100.0f, 0.76f}).floats("s", {2}, {0.5f, 0.25f});
  builder.constant<std::int8_t>("zp", onnx::TensorProto::INT8, {2}, {0, 0});
  builder.node("QuantizeLinear", {"w", "s", "zp"}, {"q"})
      .attribute("axis", std::int64_t{0})
      .node("DequantizeLinear", {"q", "s", "zp"}, {"d"})
      .attribute("axis", std::int64_t{0})
      .node("MatMul", {"x", "d"}, {"y"});
  const Graph graph = simplified(builder);
  const Value& weight = graph.value(weight_of(graph, graph.nodes.at(0)));
  EXPECT_THAT(to_f32(*weight.constant), ElementsAre(0.0f, -0.5f, 127 * 0.25f, 0.75f));
  EXPECT_EQ(weight.quant->axis, 0);
}

TEST(Quantization, pair_that_changes_the_scale_stays) {
  ModelBuilder builder;
  builder.input("x", {1, 4}).output("y", {1, 4}).floats("s", {}, {0.5f}).floats("t", {}, {0.25f});
  builder.constant<std::uint8_t>("zp", onnx::TensorProto::UINT8, {}, {0});
  builder.node("QuantizeLinear", {"x", "s", "zp"}, {"q"})
      .node("DequantizeLinear", {"q", "t", "zp"}, {"y"});
  EXPECT_THAT(operators(simplified(builder)), ElementsAre("QuantizeLinear", "DequantizeLinear"));
}

TEST(Masks, round_trip_as_zeros_of_the_constant) {
  for (const bool quantized : {false, true}) {
    Graph graph = quantized ? quantized_cnn() : simplified(small_cnn());
    Value& weight = graph.values[weight_of(graph, graph.nodes[0])];
    const auto elements = weight.constant->mutate<float>();
    weight.keep.assign(elements.size(), 1);
    for (std::size_t i = 0; i < elements.size(); ++i) {
      if (i % 3 == 0) elements[i] = 0;
      if (elements[i] == 0) weight.keep[i] = 0;
    }
    weight.pattern = "2:3";
    const auto bytes = serialize_model(graph);
    onnx::ModelProto model;
    ASSERT_TRUE(model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
    ASSERT_EQ(model.metadata_props_size(), 1);
    EXPECT_EQ(model.metadata_props(0).key(), "adze.masks");
    const auto masks = nlohmann::json::parse(model.metadata_props(0).value());
    EXPECT_EQ(masks, nlohmann::json(
                         {{quantized ? "w_quantized" : "w", {{"pattern", "2:3"}, {"axis", 1}}}}));
    expect_equal(graph, parse_model(bytes, {}));
  }
}

TEST(Masks, nonsense_is_refused) {
  for (const char* text : {"nonsense", "[]", "{\"w\": 3}", "{\"w\": {\"axis\": 1}}"}) {
    ModelBuilder builder = small_cnn();
    builder.metadata("adze.masks", text);
    EXPECT_ANY_THROW(parse_model(builder.bytes(), {})) << text;
  }
}

TEST(SaveModel, metadata_of_others_is_kept) {
  ModelBuilder builder = small_cnn();
  builder.metadata("author", "somebody").metadata("about", "something");
  EXPECT_EQ(parse_model(serialize_model(parse_model(builder.bytes(), {})), {}).metadata,
            (std::map<std::string, std::string>{{"about", "something"}, {"author", "somebody"}}));
}

TEST(SaveModel, uniform_constants_stay_small) {
  ModelBuilder builder;
  builder.input("x", {"N", 512, 4, 4}).output("y", {"N", 512, 2, 2});
  builder.integers("shape", {512, 512, 3, 3});
  builder.node("ConstantOfShape", {"shape"}, {"w"})
      .attribute<float>("value", onnx::TensorProto::FLOAT, {1}, {0.125f})
      .node("Conv", {"x", "w"}, {"y"}, "conv");
  const Graph graph = simplified(builder);
  EXPECT_THAT(operators(graph), ElementsAre("Conv"));
  EXPECT_TRUE(value_named(graph, "w").constant->is_uniform());
  const auto bytes = serialize_model(graph);
  EXPECT_LT(bytes.size(), 4096u);
  const Graph again = parse_model(bytes, {});
  EXPECT_TRUE(value_named(again, "w").constant->is_uniform());
  EXPECT_EQ(value_named(again, "w").constant->as<float>().back(), 0.125f);
  EXPECT_THAT(operators(again), ElementsAre("Conv"));
}

}  // namespace
}  // namespace adze::host
