// The serialized model, read and extended without its schema, against libonnx.
#include "plugins/onnxruntime/model_bytes.hpp"

#include <onnx/onnx_pb.h>

#include <adze/adze.hpp>

#include "host/onnx/model.hpp"
#include "tests/unit/graph/graph_builder.hpp"

namespace adze::ort {
namespace {

using ::testing::ElementsAre;

/// y = Relu(x + 1), Relu's input quantized.
host::Graph small_graph() {
  host::GraphBuilder builder;
  const auto x = builder.input("x", {1, 2}), sum = builder.value("sum", {1, 2}, 0),
             y = builder.value("y", {1, 2}, 0);
  builder.node("Add", {x, builder.floats("one", {1, 2}, {1, 1})}, {sum}, "plus");
  builder.node("Relu", {sum}, {y}, "rectify");
  builder.graph.values[sum].quant = {.axis = -1, .is_signed = false, .scale = {0.5f}};
  builder.graph.outputs = {y};
  builder.graph.relink();
  return builder.graph;
}

Bytes serialized(const host::Graph& graph) {
  Bytes bytes;
  for (const std::byte byte : host::serialize_model(graph))
    bytes.push_back(std::to_integer<std::uint8_t>(byte));
  return bytes;
}

onnx::ModelProto parsed(const Bytes& bytes) {
  onnx::ModelProto model;
  EXPECT_TRUE(model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
  return model;
}

TEST(ModelBytes, show_the_nodes_as_libonnx_does) {
  const Bytes bytes = serialized(small_graph());
  const ModelBytes model(bytes);
  const onnx::GraphProto expected = parsed(bytes).graph();
  ASSERT_EQ(model.nodes().size(), static_cast<std::size_t>(expected.node_size()));
  for (int n = 0; n < expected.node_size(); ++n) {
    const NodeBytes& node = model.nodes()[static_cast<std::size_t>(n)];
    EXPECT_EQ(node.op, expected.node(n).op_type());
    EXPECT_EQ(node.name, expected.node(n).name());
    ASSERT_EQ(node.inputs.size(), static_cast<std::size_t>(expected.node(n).input_size()));
    for (int i = 0; i < expected.node(n).input_size(); ++i)
      EXPECT_EQ(node.inputs[static_cast<std::size_t>(i)], expected.node(n).input(i));
  }
}

TEST(ModelBytes, find_what_readers_of_a_quantized_value_see) {
  const Bytes bytes = serialized(small_graph());
  const ModelBytes model(bytes);
  const onnx::GraphProto graph = parsed(bytes).graph();
  EXPECT_EQ(model.behind_quantization("sum"), graph.node(graph.node_size() - 1).input(0));
  EXPECT_EQ(model.behind_quantization("x"), "");
}

TEST(ModelBytes, take_more_outputs_and_stay_as_they_are_otherwise) {
  const Bytes bytes = serialized(small_graph());
  const ModelBytes model(bytes);
  const std::vector<std::string> names = {"sum", std::string(model.behind_quantization("sum"))};
  onnx::ModelProto extended = parsed(model.with_outputs(names));
  std::vector<std::string> outputs;
  for (const auto& output : extended.graph().output()) outputs.push_back(output.name());
  EXPECT_THAT(outputs, ElementsAre("y", names[0], names[1]));
  extended.mutable_graph()->mutable_output()->DeleteSubrange(1, 2);
  EXPECT_EQ(extended.SerializeAsString(), parsed(bytes).SerializeAsString());
}

TEST(ModelBytes, give_a_node_alone_with_typed_inputs) {
  const Bytes bytes = serialized(small_graph());
  const ModelBytes model(bytes);
  const std::int32_t types[] = {1, 1};
  const onnx::ModelProto alone = parsed(model.alone(model.nodes().front(), types));
  ASSERT_EQ(alone.graph().node_size(), 1);
  EXPECT_EQ(alone.graph().node(0).op_type(), "Add");
  EXPECT_EQ(alone.graph().initializer_size(), 0) << "without weights";
  ASSERT_EQ(alone.graph().input_size(), 2);
  EXPECT_EQ(alone.graph().input(1).name(), "one");
  EXPECT_EQ(alone.graph().input(1).type().tensor_type().elem_type(), 1);
  EXPECT_EQ(alone.ir_version(), parsed(bytes).ir_version());
  EXPECT_EQ(alone.opset_import(0).version(), parsed(bytes).opset_import(0).version());
}

TEST(ModelBytes, that_are_cut_off_are_refused) {
  const Bytes bytes = serialized(small_graph());
  std::size_t refused = 0;
  for (std::size_t size = 1; size < bytes.size(); ++size) try {
      const ModelBytes model(BytesView(bytes).first(size));
    } catch (const Error& error) {
      EXPECT_EQ(error.code, ADZE_DATA_LOSS);
      ++refused;
    }
  EXPECT_GT(refused, bytes.size() / 2) << "a cut between fields leaves a message";
}

}  // namespace
}  // namespace adze::ort
