// Rewrites say the same: outputs before and after, on the patterns of networks that leave the
// accelerator.
#include "host/graph/rewrite.hpp"

#include <gmock/gmock.h>

#include <cmath>

#include "host/base/error.hpp"
#include "host/graph/simplify.hpp"
#include "host/pipeline/keep_on_accelerator.hpp"
#include "host/pipeline/memory_need.hpp"
#include "tests/unit/drpai/plugins.hpp"
#include "tests/unit/drpai/sketch.hpp"

namespace adze::host {
namespace {

using ::testing::HasSubstr;

std::vector<float> outputs_of(const Graph& graph) {
  const Shape shape = *graph.value(graph.inputs[0]).shape;
  Tensor input(DType::f32, shape);
  int count = 0;
  for (float& element : input.mutate<float>())
    element = std::sin(0.37f * static_cast<float>(++count));
  BackendRunner runner(cpu_backend(), {}, graph, "graph", {}, {});
  return to_f32(runner.run(std::span(&input, 1)).front().tensor);
}

KeptOnAccelerator kept(const Graph& graph, const std::string& board_type,
                       Weights weights = Weights::exact) {
  const auto target = load_target(board_type);
  CallOptions options;
  options.target = target.get();
  return keep_on_accelerator(drpai_backend(), graph, options, weights);
}

/// The only node that leaves is rewritten, the outputs stay, and nothing is left on the CPU.
void expect_kept(Graph graph, const std::string& board_type, const std::string& op,
                 const std::string& kind) {
  simplify(graph);
  const KeptOnAccelerator result = kept(graph, board_type);
  bool found = false;
  for (const LeavingNode& node : result.leaving) {
    if (node.op != op) continue;
    found = true;
    ASSERT_TRUE(node.rewrite) << node.node << ": " << node.reason;
    EXPECT_EQ(node.rewrite->kind, kind);
    EXPECT_TRUE(node.helps) << node.node;
  }
  EXPECT_TRUE(found) << "no " << op << " leaves the accelerator";
  EXPECT_EQ(result.cpu_nodes, 0u);
  EXPECT_LT(result.after_ms, result.before_ms);
  const std::vector<float> before = outputs_of(graph), after = outputs_of(result.graph);
  ASSERT_EQ(before.size(), after.size());
  double largest = 0, off = 0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(before[i])));
    off = std::max(off, std::abs(static_cast<double>(before[i]) - static_cast<double>(after[i])));
  }
  EXPECT_GT(largest, 0);
  EXPECT_LE(off, 2e-6 * largest);
}

using Sizes = std::vector<std::int64_t>;

TEST(Rewrite, makes_a_grouped_convolution_dense) {
  Sketch sketch;
  auto x = sketch.conv(sketch.input({1, 64, 12, 12}), 64);
  x = sketch.conv(x, 64, 8);
  expect_kept(sketch.done(sketch.conv(x, 32)), "rzv2h", "Conv", "dense_convolution");
}

TEST(Rewrite, makes_an_oblong_kernel_square_also_with_dilation_and_stride) {
  Sketch sketch;
  auto x = sketch.conv(sketch.input({1, 16, 17, 17}), 16);
  x = sketch.node(
      "Conv", {x, sketch.constant({16, 16, 2, 5})}, {1, 16, 10, 6},
      {{"pads", Sizes{1, 2, 2, 1}}, {"strides", Sizes{2, 2}}, {"dilations", Sizes{1, 2}}});
  expect_kept(sketch.done(sketch.conv(x, 16)), "rzv2h", "Conv", "square_kernel");
}

TEST(Rewrite, makes_an_image_of_a_sequence) {
  Sketch sketch;
  const auto x = sketch.input({1, 64, 500});
  const auto made = sketch.node("Conv", {x, sketch.constant({64, 32, 3})}, {1, 64, 500},
                                {{"pads", Sizes{1, 1}}, {"group", std::int64_t{2}}});
  Graph graph = sketch.done(sketch.node("Relu", {made}, {1, 64, 500}));
  expect_kept(graph, "rzv2h", "Conv", "dense_convolution");  // first; then an image, then square
}

TEST(Rewrite, makes_scales_of_a_normalization_in_front_of_an_activation) {
  Sketch sketch;
  const auto first = sketch.conv(sketch.input({1, 16, 14, 14}), 16);
  auto x = first;
  std::vector<std::uint32_t> normalization{x};
  for (int i = 0; i < 4; ++i) normalization.push_back(sketch.constant({16}));
  x = sketch.node("BatchNormalization", normalization, {1, 16, 14, 14});
  x = sketch.conv(sketch.node("Relu", {x}, {1, 16, 14, 14}), 16);
  expect_kept(sketch.done(sketch.node("Add", {x, first}, {1, 16, 14, 14})), "rzv2h",
              "BatchNormalization", "scaling_convolution");
}

TEST(Rewrite, chooses_channels_instead_of_cutting) {
  Sketch sketch;
  auto x = sketch.conv(sketch.input({1, 32, 28, 28}), 32);
  x = sketch.slice(x, {1, 24, 28, 28}, 0, 24, 1, 1);
  const auto first = sketch.node("Split", {x, sketch.integers({8, 16})}, {1, 8, 28, 28},
                                 {{"axis", std::int64_t{1}}});
  const auto second = sketch.one_more_output({1, 16, 28, 28});
  x = sketch.node("Concat", {sketch.conv(second, 16), first}, {1, 24, 28, 28},
                  {{"axis", std::int64_t{1}}});
  expect_kept(sketch.done(sketch.conv(x, 8)), "rzv2h", "Split", "choosing_convolution");
}

TEST(Rewrite, knows_what_only_the_fp16_boards_refuse) {
  Sketch sketch;
  auto x = sketch.conv(sketch.input({1, 16, 28, 28}), 16);
  x = sketch.node("AveragePool", {x}, {1, 16, 14, 14},
                  {{"kernel_shape", Sizes{2, 2}}, {"strides", Sizes{2, 2}}});
  x = sketch.conv(x, 16);
  x = sketch.node("HardSigmoid", {x}, {1, 16, 14, 14}, {{"alpha", 0.25}, {"beta", 0.5}});
  const Graph graph = sketch.done(sketch.conv(x, 16));
  expect_kept(graph, "rzv2l", "AveragePool", "averaging_convolution");
  expect_kept(graph, "rzv2l", "HardSigmoid", "clipped_line");
}

TEST(Rewrite, divides_and_subtracts_by_other_means) {
  Sketch sketch;
  auto x = sketch.conv(sketch.input({1, 16, 14, 14}), 16);
  x = sketch.node("Sub", {x, sketch.constant({1})}, {1, 16, 14, 14});
  x = sketch.node("Div", {x, sketch.constant({1})}, {1, 16, 14, 14});
  const Graph graph = sketch.done(sketch.conv(x, 16));
  expect_kept(graph, "rzv2h", "Div", "multiplication");
}

TEST(Rewrite, knows_none_for_a_gate_and_says_so) {
  Sketch sketch;
  auto x = sketch.conv(sketch.input({1, 32, 8, 8}), 32);
  const auto gate =
      sketch.node("Sigmoid", {sketch.node("GlobalAveragePool", {x}, {1, 32, 1, 1})}, {1, 32, 1, 1});
  x = sketch.node("Mul", {x, gate}, {1, 32, 8, 8});
  Graph graph = sketch.done(sketch.conv(x, 32));
  simplify(graph);
  const KeptOnAccelerator result = kept(graph, "rzv2h");
  ASSERT_EQ(result.leaving.size(), 1u);
  EXPECT_THAT(result.leaving[0].reason, HasSubstr("squeeze-and-excite"));
  EXPECT_FALSE(result.leaving[0].rewrite);
  EXPECT_EQ(result.after_ms, result.before_ms);
  EXPECT_THROW(apply_rewrite(graph, 3, Weights::exact), Error);
}

TEST(Rewrite, leaves_a_network_of_dense_convolutions_alone) {
  Sketch sketch;
  auto x = sketch.conv(sketch.input({1, 32, 8, 8}), 32);
  const auto y = sketch.node("Relu", {x}, {1, 32, 8, 8});
  x = sketch.node("Add", {sketch.conv(y, 32), y}, {1, 32, 8, 8});
  Graph graph = sketch.done(x);
  simplify(graph);
  const KeptOnAccelerator result = kept(graph, "rzv2h");
  EXPECT_TRUE(result.leaving.empty());
  EXPECT_EQ(result.rewritten, 0u);
}

TEST(Rewrite, as_a_sketch_predicts_what_the_exact_one_does) {
  Sketch sketch;
  auto x = sketch.conv(sketch.input({1, 64, 12, 12}), 64);
  x = sketch.conv(x, 64, 4);
  Graph graph = sketch.done(sketch.conv(x, 32));
  simplify(graph);
  EXPECT_NEAR(kept(graph, "rzv2h", Weights::sketched).after_ms, kept(graph, "rzv2h").after_ms,
              1e-9);
}

TEST(MemoryNeed, counts_the_regions_and_refuses_with_the_numbers) {
  Sketch sketch;
  auto x = sketch.conv(sketch.input({1, 3, 100, 100}), 16);
  x = sketch.node("Relu", {x}, {1, 16, 100, 100});
  Graph graph = sketch.done(sketch.conv(x, 8, 1, 1, 1));
  graph.relink();
  Facts facts = load_facts("rzv2h");
  const Target target("rzv2h", facts);
  CallOptions options;
  options.target = &target;
  const auto placements = place(drpai_backend(), {}, graph, options);
  const MemoryNeed need = *memory_need(graph, placements, facts);
  EXPECT_EQ(need.input_bytes, 4u * 3 * 100 * 100);
  EXPECT_EQ(need.work_bytes, (16u + 8) * 100 * 100);  // the activation takes no place of its own
  EXPECT_EQ(need.output_bytes, 2u * 8 * 100 * 100);
  EXPECT_EQ(need.weight_bytes, 16 * 27 + 8 * 16 + 850u);  // 24 channels of 35.4 bytes, rounded up
  EXPECT_TRUE(need.fits());
  facts["memory.drpai_area_bytes"] = std::int64_t{1'000'000};
  const MemoryNeed too_much = *memory_need(graph, placements, facts);
  try {
    require_fit(too_much, "big.onnx", "rzv2h");
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("'big.onnx' needs 1.7 MB"));
    EXPECT_THAT(error.what(), HasSubstr("sets 1.0 MB aside"));
  }
  facts.erase("memory.program_bytes");
  EXPECT_FALSE(memory_need(graph, placements, facts));
}

}  // namespace
}  // namespace adze::host
