#include "host/pipeline/targets.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "host/base/error.hpp"
#include "host/graph/simplify.hpp"
#include "host/onnx/model.hpp"

namespace adze::host {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

Graph fixture(const std::string& name) {
  const std::filesystem::path source = std::getenv("ADZE_SOURCE_DIR");
  Graph graph = load_model(source / "fixtures/models" / name);
  simplify(graph);
  return graph;
}

std::vector<std::string> names(const Graph& graph, const Targets& targets) {
  std::vector<std::string> found;
  for (const std::uint32_t node : targets.nodes) found.push_back(graph.nodes[node].name);
  return found;
}

std::string reason(const Targets& targets, const std::string& node) {
  for (const Excluded& excluded : targets.excluded)
    if (excluded.node == node) return excluded.reason;
  return "a target";
}

/// Names of the nodes with a weight, in order.
std::vector<std::string> layers(const Graph& graph) {
  std::vector<std::string> found;
  for (const Node& node : graph.nodes)
    if (weight_of(graph, node) != kNone) found.push_back(node.name);
  return found;
}

std::string error_of(const Graph& graph, const std::vector<std::string>& include,
                     const std::vector<std::string>& exclude) {
  try {
    choose_targets(graph, ComponentKind::pruner, include, exclude);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Targets, of_a_pruner_leave_out_first_convolution_and_last_layer) {
  const Graph graph = fixture("fmnist_resnet10.onnx");
  const Targets targets = choose_targets(graph, ComponentKind::pruner, {}, {});
  const std::vector<std::string> all = layers(graph);
  EXPECT_EQ(names(graph, targets), std::vector<std::string>(all.begin() + 1, all.end() - 1));
  EXPECT_EQ(reason(targets, all.front()), "first convolution");
  EXPECT_EQ(reason(targets, all.back()), "last layer");
}

TEST(Targets, what_a_pruner_leaves_out_unasked_may_be_corrected) {
  const Graph graph = fixture("fmnist_resnet10.onnx");
  const std::vector<std::string> all = layers(graph);
  const Targets targets = choose_targets(graph, ComponentKind::pruner, {}, {all.back()});
  ASSERT_EQ(targets.refits.size(), 1u);
  EXPECT_EQ(graph.nodes[targets.refits[0]].name, all.front());
  EXPECT_EQ(
      choose_targets(fixture("fmnist_mobilenet.onnx"), ComponentKind::pruner, {}, {}).refits.size(),
      15u);
  EXPECT_TRUE(choose_targets(graph, ComponentKind::pruner, {all[1]}, {}).refits.empty());
  EXPECT_TRUE(choose_targets(graph, ComponentKind::pruner, {}, {}, true).refits.empty());
}

TEST(Targets, of_a_pruner_leave_out_depthwise_convolutions) {
  const Graph graph = fixture("fmnist_mobilenet.onnx");
  const Targets targets = choose_targets(graph, ComponentKind::pruner, {}, {});
  EXPECT_EQ(targets.nodes.size(), 13u);
  for (const std::uint32_t node : targets.nodes)
    EXPECT_EQ(attribute_or<std::int64_t>(graph.nodes[node], "group", 1), 1);
  EXPECT_EQ(
      std::count_if(targets.excluded.begin(), targets.excluded.end(),
                    [](const Excluded& one) { return one.reason == "depthwise convolution"; }),
      13);
}

TEST(Targets, of_a_pruner_of_channels_are_all_layers) {
  const Graph graph = fixture("fmnist_mobilenet.onnx");
  const Targets targets = choose_targets(graph, ComponentKind::pruner, {}, {}, true);
  EXPECT_EQ(names(graph, targets), layers(graph));
  EXPECT_TRUE(targets.excluded.empty());
}

TEST(Targets, include_overrides_the_rules_and_exclude_wins) {
  const Graph graph = fixture("fmnist_resnet10.onnx");
  const std::vector<std::string> all = layers(graph);
  const Targets targets =
      choose_targets(graph, ComponentKind::pruner, {all[0], all[1], all[2]}, {all[1]});
  EXPECT_EQ(names(graph, targets), (std::vector<std::string>{all[0], all[2]}));
  EXPECT_EQ(reason(targets, all[1]), "excluded by the stage");
  EXPECT_EQ(reason(targets, all[3]), "not in the stage's include list");
}

TEST(Targets, may_be_named_by_globs) {
  const Graph graph = fixture("fmnist_resnet10.onnx");
  const Targets targets = choose_targets(graph, ComponentKind::pruner, {"block2*"}, {});
  ASSERT_FALSE(targets.nodes.empty());
  for (const std::string& name : names(graph, targets)) EXPECT_THAT(name, HasSubstr("block2"));
}

TEST(Targets, of_a_quantizer_are_all_nodes) {
  const Graph graph = fixture("fmnist_resnet10.onnx");
  const std::string last = graph.nodes.back().name;
  EXPECT_EQ(choose_targets(graph, ComponentKind::quantizer, {}, {}).nodes.size(),
            graph.nodes.size());
  EXPECT_THAT(names(graph, choose_targets(graph, ComponentKind::quantizer, {}, {last})),
              Not(Contains(last)));
}

TEST(Targets, refuse_a_name_that_matches_nothing_with_the_nearest_one) {
  const Graph graph = fixture("fmnist_resnet10.onnx");
  const std::string name = layers(graph)[1];
  EXPECT_THAT(error_of(graph, {}, {name + "x"}),
              AllOf(HasSubstr("exclude"), HasSubstr("did you mean '" + name + "'?")));
}

TEST(Targets, refuse_a_stage_with_nothing_to_do) {
  EXPECT_THAT(error_of(fixture("fmnist_resnet10.onnx"), {}, {"*"}), HasSubstr("no layer to prune"));
}

TEST(Targets, leave_out_a_layer_that_shares_its_weight_with_an_excluded_one) {
  Graph graph = fixture("fmnist_resnet10.onnx");
  const std::vector<std::string> all = layers(graph);
  // Two convolutions of the same shape within a block.
  std::vector<std::uint32_t> alike;
  for (std::uint32_t n = 0; n < graph.nodes.size() && alike.size() < 2; ++n) {
    const std::uint32_t weight = weight_of(graph, graph.nodes[n]);
    if (weight != kNone && graph.nodes[n].name != all[0] &&
        (alike.empty() || graph.value(weight).constant->shape() ==
                              graph.value(graph.nodes[alike[0]].inputs[1]).constant->shape()))
      alike.push_back(n);
  }
  ASSERT_EQ(alike.size(), 2u);
  const std::string first = graph.nodes[alike[0]].name, second = graph.nodes[alike[1]].name;
  graph.nodes[alike[1]].inputs[1] = graph.nodes[alike[0]].inputs[1];
  graph.relink();
  const Targets targets = choose_targets(graph, ComponentKind::pruner, {}, {second});
  EXPECT_THAT(reason(targets, first), HasSubstr("shares its weight with '" + second + "'"));
}

}  // namespace
}  // namespace adze::host
