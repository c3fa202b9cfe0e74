// adze.onnxruntime behind the ABI, with the library that ADZE_ONNXRUNTIME names.
#include "host/abi/backend.hpp"

#include <cmath>
#include <cstdlib>

#include "host/base/error.hpp"
#include "host/graph/simplify.hpp"
#include "host/onnx/model.hpp"
#include "tests/bench/quantize_by_range.hpp"
#include "tests/needs.hpp"
#include "tests/unit/drpai/plugins.hpp"
#include "tests/unit/graph/graph_builder.hpp"

namespace adze::host {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Component ort() { return built_component("adze_onnxruntime.so"); }

Graph fixture(const std::string& name) {
  Graph graph =
      load_model(std::filesystem::path(std::getenv("ADZE_SOURCE_DIR")) / "fixtures/models" / name);
  simplify(graph);
  return graph;
}

/// y = Relu(x) + w, of any type that ONNX Runtime adds.
Graph sum_graph(const Tensor& w, Shape shape, std::int32_t batch_axis = -1) {
  GraphBuilder builder;
  const auto x = builder.input("x", shape, batch_axis);
  const auto y = builder.value("y", shape, batch_axis);
  builder.node("Add", {x, builder.constant("w", w)}, {y}, "plus");
  builder.graph.values[x].dtype = builder.graph.values[y].dtype = w.dtype();
  builder.graph.outputs = {y};
  builder.graph.relink();
  return builder.graph;
}

std::string refusal(auto&& body) {
  try {
    body();
  } catch (const PluginError& error) {
    return error.what();
  }
  return "accepted";
}

class OnnxRuntime : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* library = std::getenv("ADZE_ONNXRUNTIME");
    ADZE_NEEDS(library && *library, "ONNX Runtime (ADZE_ONNXRUNTIME, ci/onnxruntime.sh)");
  }
};

TEST(OnnxRuntimeWithout, a_library_says_what_to_set) {
  const Graph graph = sum_graph(Tensor(DType::f32, {2}), {2});
  const char* library = std::getenv("ADZE_ONNXRUNTIME");
  const std::string before = library ? library : "";
  unsetenv("ADZE_ONNXRUNTIME");
  const std::string text = refusal([&] { BackendRunner(ort(), {}, graph, "m.onnx", {}, {}); });
  if (library) setenv("ADZE_ONNXRUNTIME", before.c_str(), 1);
  EXPECT_THAT(text, AllOf(HasSubstr("m.onnx: "), HasSubstr("parameter 'library'"),
                          HasSubstr("ADZE_ONNXRUNTIME")));
}

TEST_F(OnnxRuntime, gives_what_adze_cpu_gives) {
  for (const char* name : {"fmnist_resnet10.onnx", "fmnist_mobilenet.onnx"}) {
    const Graph graph = fixture(name);
    const auto inputs = adze::testing::random_inputs(graph, 5, 1);
    BackendRunner own(cpu_backend(), {}, graph, "own", {}, {.batch = 2});
    BackendRunner peer(ort(), {}, graph, "peer", {}, {.batch = 2});
    const auto expected = to_f32(own.run(inputs).front().tensor);
    const auto got = to_f32(peer.run(inputs).front().tensor);
    ASSERT_EQ(got.size(), expected.size());
    for (std::size_t i = 0; i < got.size(); ++i)
      ASSERT_NEAR(got[i], expected[i], 1e-3 + 1e-3 * std::fabs(expected[i])) << name << " " << i;
    const auto rows = peer.profile();
    ASSERT_EQ(rows.size(), 1u);
    EXPECT_EQ(rows[0].nodes.size(), graph.nodes.size());
    EXPECT_GT(rows[0].latency_ms, 0);
  }
}

TEST_F(OnnxRuntime, shows_every_value_that_a_node_computes) {
  const Graph graph = fixture("fmnist_resnet10.onnx");
  std::vector<std::string> layers;
  for (const Node& node : graph.nodes) layers.push_back(graph.value(node.outputs[0]).name);
  const auto inputs = adze::testing::random_inputs(graph, 2, 1);
  BackendRunner own(cpu_backend(), {}, graph, "own", {}, {.batch = 2, .extra_outputs = layers});
  BackendRunner peer(ort(), {}, graph, "peer", {}, {.batch = 2, .extra_outputs = layers});
  const auto expected = own.run(inputs), got = peer.run(inputs);
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got[i].name, expected[i].name);
    ASSERT_EQ(got[i].tensor.shape(), expected[i].tensor.shape()) << got[i].name;
    const auto a = to_f32(got[i].tensor), b = to_f32(expected[i].tensor);
    for (std::size_t k = 0; k < a.size(); ++k)
      ASSERT_NEAR(a[k], b[k], 1e-3 + 1e-3 * std::fabs(b[k])) << got[i].name;
  }
}

TEST_F(OnnxRuntime, shows_quantized_values_as_their_readers_see_them) {
  const Graph graph =
      adze::testing::quantize_by_range(fixture("fmnist_resnet10.onnx"), cpu_backend());
  std::vector<std::string> layers;
  for (const Node& node : graph.nodes) layers.push_back(graph.value(node.outputs[0]).name);
  BackendRunner peer(ort(), {}, graph, "peer", {},
                     {.batch = 1, .extra_outputs = layers, .leave_out_unavailable = true});
  std::size_t quantized = 0;
  for (const NamedTensor& output : peer.run(adze::testing::random_inputs(graph, 1, 1))) {
    const auto& quant = value_named(graph, output.name).quant;
    if (!quant) continue;
    ++quantized;
    for (const float element : to_f32(output.tensor)) {
      const float level = element / quant->scale[0];
      ASSERT_NEAR(level, std::nearbyint(level), 1e-3) << output.name;
    }
  }
  EXPECT_GT(quantized, 10u);
  for (const Unavailable& layer : peer.unavailable()) {
    EXPECT_FALSE(value_named(graph, layer.value).quant) << layer.value;
    EXPECT_THAT(layer.reason, HasSubstr("computes it as one with"));
  }
  BackendRunner plain(ort(), {{"optimization", "none"}}, graph, "peer", {},
                      {.batch = 1, .extra_outputs = layers, .leave_out_unavailable = true});
  EXPECT_TRUE(plain.unavailable().empty()) << "nothing is computed as one then";
}

// Where ONNX Runtime computes with integers, each layer is the same but for roundings of sums whose
// scales it joins; computed as floats (optimization = none), layers part by a step here and there,
// and what follows carries that on.
TEST_F(OnnxRuntime, quantized_layers_are_the_same_integers) {
  for (const char* name : {"fmnist_mobilenet.onnx", "fmnist_resnet10.onnx"}) {
    const Graph graph = adze::testing::quantize_by_range(fixture(name), cpu_backend());
    std::vector<std::string> layers;
    for (const Node& node : graph.nodes)
      if (const Value& value = graph.value(node.outputs[0]); value.quant)
        layers.push_back(value.name);
    const auto inputs = adze::testing::random_inputs(graph, 4, 1);
    BackendRunner own(cpu_backend(), {}, graph, "own", {}, {.batch = 4, .extra_outputs = layers});
    BackendRunner peer(ort(), {}, graph, "peer", {}, {.batch = 4, .extra_outputs = layers});
    const auto expected = own.run(inputs), got = peer.run(inputs);
    ASSERT_EQ(got.size(), expected.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      const auto a = to_f32(got[i].tensor), b = to_f32(expected[i].tensor);
      const auto& quant = value_named(graph, got[i].name).quant;
      if (!quant) continue;
      std::size_t differing = 0;
      for (std::size_t k = 0; k < a.size(); ++k) {
        const float steps = std::fabs(a[k] - b[k]) / quant->scale[0];
        ASSERT_LT(steps, 1.5f) << name << ", " << got[i].name;
        differing += steps > 0.5f;
      }
      EXPECT_LE(static_cast<double>(differing), 0.001 * static_cast<double>(a.size()))
          << name << ", " << got[i].name;
    }
  }
}

TEST_F(OnnxRuntime, runs_integers_and_a_batch_that_the_file_does_not_speak_of) {
  const std::vector<std::int64_t> weights = {10, 20};
  const Tensor w(DType::i64, {1, 2}, std::span<const std::int64_t>(weights));
  const std::vector<std::int64_t> elements = {1, 2, 3, 4, 5, 6};
  const std::vector<Tensor> inputs = {
      Tensor(DType::i64, {3, 2}, std::span<const std::int64_t>(elements))};
  BackendRunner runner(ort(), {}, sum_graph(w, {1, 2}, 0), "m", {}, {.batch = 3});
  const auto outputs = runner.run(inputs);
  EXPECT_THAT(outputs.front().tensor.as<std::int64_t>(), ElementsAre(11, 22, 13, 24, 15, 26));
}

TEST_F(OnnxRuntime, names_all_nodes_that_it_refuses) {
  GraphBuilder builder;
  const auto x = builder.input("x", {2});
  std::vector<std::uint32_t> values = {x};
  for (const char* op : {"Relu", "Frobnicate", "Sigmoid", "Frobnicate"}) {
    values.push_back(builder.value("v" + std::to_string(values.size()), {2}));
    builder.node(op, {values[values.size() - 2]}, {values.back()});
  }
  builder.graph.outputs = {values.back()};
  builder.graph.relink();
  const auto placed = place(ort(), {}, builder.graph, {});
  ASSERT_EQ(placed.size(), 4u);
  for (std::size_t i = 0; i < placed.size(); ++i) {
    EXPECT_EQ(placed[i].unit, "onnxruntime");
    EXPECT_EQ(placed[i].verdict, i % 2 ? ADZE_REFUSED : ADZE_PLACED) << placed[i].reason;
    EXPECT_THAT(placed[i].reason, i % 2 ? HasSubstr("Frobnicate") : HasSubstr(""));
  }
  EXPECT_THAT(
      refusal([&] { BackendRunner(ort(), {}, builder.graph, "odd.onnx", {}, {}); }),
      AllOf(HasSubstr("odd.onnx: "), HasSubstr("ONNX Runtime 1."), HasSubstr("Frobnicate")));
}

TEST_F(OnnxRuntime, refuses_a_library_that_is_none) {
  const Graph graph = sum_graph(Tensor(DType::f32, {2}), {2});
  EXPECT_THAT(refusal([&] {
                BackendRunner(ort(), {{"library", "/etc/hostname"}}, graph, "m.onnx", {}, {});
              }),
              AllOf(HasSubstr("/etc/hostname"), HasSubstr("as ONNX Runtime")));
}

}  // namespace
}  // namespace adze::host
