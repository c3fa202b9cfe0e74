// Placement, predicted latency and artifacts of adze.drpai on the fixture models.
#include <algorithm>

#include "host/base/file.hpp"
#include "host/graph/simplify.hpp"
#include "host/onnx/model.hpp"
#include "host/pipeline/board_type.hpp"
#include "tests/unit/drpai/plugins.hpp"

namespace adze::host {
namespace {

std::filesystem::path source_dir() { return std::getenv("ADZE_SOURCE_DIR"); }

Graph fixture(const std::string& name) {
  Graph graph = load_model(source_dir() / "fixtures/models" / name);
  simplify(graph);
  return graph;
}

class Drpai : public ::testing::Test {
 protected:
  Drpai() : target_("rzv2h", load_facts("rzv2h", source_dir() / "fixtures/boards")) {
    options_.target = &target_;
  }
  double total_ms(const Graph& graph) {
    const WhatIf whole[] = {{kNone, 0}};
    return estimate(drpai_backend(), {}, graph, options_, whole).front();
  }
  Target target_;
  CallOptions options_;
};

TEST_F(Drpai, places_a_residual_network_on_the_accelerator) {
  for (const Placement& placed :
       place(drpai_backend(), {}, fixture("fmnist_resnet10.onnx"), options_)) {
    EXPECT_EQ(placed.unit, "drpai") << placed.node << ": " << placed.reason;
    EXPECT_EQ(placed.reason, "");
  }
}

TEST_F(Drpai, sends_grouped_convolutions_to_the_cpu_and_says_why) {
  Graph graph = fixture("fmnist_mobilenet.onnx");
  const auto depthwise = std::find_if(graph.nodes.begin(), graph.nodes.end(), [](const Node& node) {
    return attribute_or<std::int64_t>(node, "group", 1) > 1;
  });
  ASSERT_NE(depthwise, graph.nodes.end());
  const auto index = static_cast<std::size_t>(depthwise - graph.nodes.begin());
  EXPECT_EQ(place(drpai_backend(), {}, graph, options_)[index].unit, "drpai");

  Value& weights = graph.values[depthwise->inputs[1]];
  const std::int64_t groups = attribute_or<std::int64_t>(*depthwise, "group", 1) / 2;
  Shape shape = *weights.shape;
  shape[1] = 2;
  weights.shape = shape;
  weights.constant = Tensor(DType::f32, shape);
  depthwise->attributes["group"] = groups;
  const Placement placed = place(drpai_backend(), {}, graph, options_)[index];
  EXPECT_EQ(placed.unit, "cpu");
  EXPECT_EQ(placed.reason,
            "grouped convolution, " + std::to_string(groups) + " groups: runs on the CPU");
}

TEST_F(Drpai, predicts_the_sum_of_its_nodes) {
  const Graph graph = fixture("fmnist_resnet10.onnx");
  std::vector<WhatIf> questions;
  for (std::uint32_t node = 0; node < graph.nodes.size(); ++node) questions.push_back({node, 0});
  double sum = 0;
  for (const double node_ms : estimate(drpai_backend(), {}, graph, options_, questions))
    sum += node_ms;
  EXPECT_NEAR(sum, total_ms(graph), 1e-9);
  EXPECT_GT(sum, 0);
}

TEST_F(Drpai, predicts_that_pruning_saves_time) {
  const Graph graph = fixture("fmnist_resnet10.onnx");
  double dense = 0, sparse = 0;
  for (std::uint32_t node = 0; node < graph.nodes.size(); ++node) {
    const WhatIf questions[] = {{node, 0}, {node, 0.9}};
    const auto answers = estimate(drpai_backend(), {}, graph, options_, questions);
    EXPECT_LE(answers[1], answers[0]);
    dense += answers[0];
    sparse += answers[1];
  }
  EXPECT_LT(sparse, dense);
}

TEST_F(Drpai, counts_the_channels_that_would_be_left) {
  const Graph graph = fixture("fmnist_mobilenet.onnx");
  int depthwise = 0;
  for (std::uint32_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    if (weight_of(graph, node) == kNone) continue;
    const Shape& shape = *graph.value(weight_of(graph, node)).shape;
    const bool rows = node.op == "Conv" || attribute_or<std::int64_t>(node, "transB", 0) != 0;
    const std::int64_t groups = attribute_or<std::int64_t>(node, "group", 1);
    const auto outputs = static_cast<std::uint32_t>(shape[rows ? 0 : 1]),
               inputs = static_cast<std::uint32_t>(shape[rows ? 1 : 0] * groups);
    const WhatIf questions[] = {{n, 0},
                                {n, 0, inputs, outputs},
                                {n, 0, 0, outputs / 2},
                                {n, 0, (inputs + 1) / 2, outputs / 2}};
    const auto answers = estimate(drpai_backend(), {}, graph, options_, questions);
    EXPECT_EQ(answers[1], answers[0]) << node.name << ": nothing leaves";
    EXPECT_LE(answers[2], answers[0]) << node.name;
    EXPECT_LE(answers[3], answers[2]) << node.name;
    if (groups == 1) continue;
    EXPECT_EQ(answers[3], answers[2]) << node.name << ": outputs leave with their inputs";
    ++depthwise;
  }
  EXPECT_GT(depthwise, 0);
}

TEST_F(Drpai, profiles_predictions_before_the_first_run_and_measurements_after) {
  const Graph graph = fixture("fmnist_mobilenet.onnx");
  BackendRunner runner(drpai_backend(), {}, graph, "drpai", options_,
                       {.batch = 1, .extra_outputs = {}});
  const auto before = runner.profile();
  ASSERT_EQ(before.size(), graph.nodes.size());
  for (const ProfileRow& row : before) EXPECT_TRUE(row.predicted);
  Shape shape = *graph.value(graph.inputs[0]).shape;
  const Tensor input(DType::f32, shape);
  runner.run({&input, 1});
  const auto after = runner.profile();
  ASSERT_FALSE(after.empty());
  for (const ProfileRow& row : after) EXPECT_FALSE(row.predicted);
}

TEST_F(Drpai, writes_one_artifact_with_the_same_bytes_each_time) {
  const Graph graph = fixture("fmnist_mobilenet.onnx");
  const TemporaryDirectory first, second;
  for (const TemporaryDirectory* folder : {&first, &second}) {
    BackendRunner runner(drpai_backend(), {}, graph, "drpai", options_,
                         {.batch = 1, .extra_outputs = {}});
    EXPECT_EQ(runner.artifacts(folder->path()), std::vector<std::string>{"program.cbor"});
  }
  EXPECT_EQ(read_file(first.path() / "program.cbor"), read_file(second.path() / "program.cbor"));
}

}  // namespace
}  // namespace adze::host
