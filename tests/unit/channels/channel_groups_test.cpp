#include "host/graph/channel_groups.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/channels/models.hpp"

namespace adze::host {
namespace {

using test::ModelWriter;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

ChannelGroups groups_of(const Graph& graph) {
  return find_channel_groups(graph, test::all_nodes(graph));
}

/// "Conv0:0p Relu1..." : node, axis and role of each member, with the span when it is not 1.
std::string text(const Graph& graph, const ChannelGroup& group) {
  std::string all;
  for (const ChannelMember& member : group.members) {
    const Node& node = graph.nodes[member.node];
    const auto input = std::ranges::find(node.inputs, member.value) - node.inputs.begin();
    all += (all.empty() ? "" : " ") + node.name + "." + std::to_string(input) + ":" +
           std::to_string(member.axis) + "?pct"[static_cast<std::size_t>(member.role)];
    if (member.span > 1) all += "x" + std::to_string(member.span);
  }
  return std::to_string(group.channels.size()) + " " + all;
}

std::vector<std::string> texts(const Graph& graph) {
  std::vector<std::string> all;
  for (const ChannelGroup& group : groups_of(graph).groups) all.push_back(text(graph, group));
  return all;
}

TEST(ChannelGroups, a_chain_is_produced_by_one_layer_and_consumed_by_the_next) {
  ModelWriter write;
  const auto first = write.batch_norm(write.conv(write.input({1, 3, 6, 6}), 3, 8), 8);
  const auto second = write.conv(write.one("Relu", {first}), 8, 4);
  EXPECT_THAT(texts(write.model(write.one("GlobalAveragePool", {second}))),
              ElementsAre("8 Conv0.1:0p Conv0.2:0p BatchNormalization1.1:0t "
                          "BatchNormalization1.2:0t BatchNormalization1.3:0t "
                          "BatchNormalization1.4:0t Conv3.1:1c"));
}

TEST(ChannelGroups, a_residual_ties_both_branches) {
  ModelWriter write;
  const auto first = write.conv(write.input({1, 3, 6, 6}), 3, 8);
  const auto sum = write.one("Add", {write.conv(first, 8, 8), first});
  EXPECT_THAT(texts(write.model(write.conv(sum, 8, 2))),
              ElementsAre("8 Conv0.1:0p Conv0.2:0p Conv1.1:0p Conv1.1:1c Conv1.2:0p Conv3.1:1c"));
}

TEST(ChannelGroups, concatenated_channels_stay_apart) {
  ModelWriter write;
  const auto x = write.input({1, 3, 6, 6});
  const auto both =
      write.one("Concat", {write.conv(x, 3, 4), write.conv(x, 3, 6)}, {{"axis", std::int64_t{1}}});
  const Graph graph = write.model(write.conv(both, 10, 2));
  EXPECT_THAT(texts(graph), ElementsAre("4 Conv0.1:0p Conv0.2:0p Conv3.1:1c",
                                        "6 Conv1.1:0p Conv1.2:0p Conv3.1:1c"));
  EXPECT_THAT(groups_of(graph).groups[1].members[2].indices, ElementsAre(4, 5, 6, 7, 8, 9));
}

TEST(ChannelGroups, a_split_makes_two_groups_of_one_layer_and_spells_their_sizes) {
  ModelWriter write;
  const auto parts =
      write.node("Split", {write.conv(write.input({1, 3, 6, 6}), 3, 8), write.integers({3, 5})},
                 {{"axis", std::int64_t{1}}}, 2);
  const auto sum = write.one("Add", {write.conv(parts[0], 3, 2), write.conv(parts[1], 5, 2)});
  const Graph graph = write.model(sum);
  EXPECT_THAT(texts(graph), ElementsAre("3 Conv0.1:0p Conv0.2:0p Conv2.1:1c",
                                        "5 Conv0.1:0p Conv0.2:0p Conv3.1:1c"));
  EXPECT_THAT(groups_of(graph).sizes, SizeIs(2));
}

TEST(ChannelGroups, equal_parts_without_sizes_stay_equal) {
  ModelWriter write;
  const auto parts = write.node("Split", {write.conv(write.input({1, 3, 6, 6}), 3, 8)},
                                {{"axis", std::int64_t{1}}}, 2);
  EXPECT_THAT(texts(write.model(write.conv(write.one("Mul", {parts[0], parts[1]}), 4, 2))),
              ElementsAre("4 Conv0.1:0px2 Conv0.2:0px2 Conv3.1:1c"));
}

TEST(ChannelGroups, flattened_channels_span_their_picture) {
  for (const bool spelled : {false, true}) {
    ModelWriter write;
    const auto x = write.conv(write.input({1, 3, 4, 4}), 3, 6);
    const auto flat =
        spelled ? write.one("Reshape", {x, write.integers({0, 96})}) : write.one("Flatten", {x});
    const Graph graph = write.model(write.gemm(flat, 96, 2));
    EXPECT_THAT(texts(graph), ElementsAre("6 Conv0.1:0p Conv0.2:0p Gemm2.1:1cx16"));
    const auto indices = groups_of(graph).groups[0].members[2].indices;
    ASSERT_THAT(indices, SizeIs(96));
    EXPECT_EQ(indices[16], 16u);
  }
}

TEST(ChannelGroups, pictures_with_channels_last_count_them_by_the_last_part) {
  ModelWriter write;
  const auto x = write.conv(write.input({1, 3, 4, 4}), 3, 6);
  const auto last = write.one("Transpose", {x}, {{"perm", std::vector<std::int64_t>{0, 2, 3, 1}}});
  const Graph flat = write.model(write.gemm(write.one("Flatten", {last}), 96, 2));
  EXPECT_THAT(texts(flat), ElementsAre("6 Conv0.1:0p Conv0.2:0p Gemm3.1:1cx16"));
  const auto indices = groups_of(flat).groups[0].members[2].indices;
  EXPECT_THAT(std::vector(indices.begin() + 16, indices.begin() + 19), ElementsAre(1, 7, 13));
  ModelWriter again;
  const auto y = again.conv(again.input({1, 3, 4, 4}), 3, 6);
  const auto rows = again.one("Transpose", {y}, {{"perm", std::vector<std::int64_t>{0, 2, 3, 1}}});
  EXPECT_THAT(texts(again.model(again.one("MatMul", {rows, again.weight({6, 5})}))),
              ElementsAre("6 Conv0.1:0p Conv0.2:0p MatMul2.1:0c"));
}

TEST(ChannelGroups, convolutions_in_groups_lose_whole_groups) {
  ModelWriter write;
  const auto deep = write.conv(write.conv(write.input({1, 3, 6, 6}), 3, 8), 8, 8, 8);
  const auto grouped = write.conv(write.conv(deep, 8, 6), 6, 12, 3);
  EXPECT_THAT(texts(write.model(write.conv(grouped, 12, 2))),
              ElementsAre("8 Conv0.1:0p Conv0.2:0p Conv1.1:0t Conv1.2:0t Conv2.1:1c",
                          "3 Conv2.1:0px2 Conv2.2:0px2 Conv3.1:0px4 Conv3.2:0px4 Conv4.1:1cx4"));
}

TEST(ChannelGroups, stop_at_what_is_not_understood_and_at_what_mixes_channels) {
  for (const char* op : {"Softmax", "LRN", "Shape"}) {
    ModelWriter write;
    const auto x = write.conv(write.input({1, 3, 6, 6}), 3, 8);
    std::map<std::string, Attribute> attributes;
    if (op == std::string("Softmax")) attributes["axis"] = std::int64_t{1};
    if (op == std::string("LRN")) attributes["size"] = std::int64_t{3};
    const auto y = write.one(op, {x}, attributes);
    if (op == std::string("Shape")) {
      const auto z = write.one(
          "Mul", {write.conv(x, 8, 2),
                  write.one("Cast", {write.one("ReduceSum", {y}, {{"keepdims", std::int64_t{0}}})},
                            {{"to", std::int64_t{1}}})});
      EXPECT_THAT(texts(write.model(z)), IsEmpty()) << op;
    } else {
      EXPECT_THAT(texts(write.model(write.conv(y, 8, 2))), IsEmpty()) << op;
    }
  }
}

TEST(ChannelGroups, only_targets_lose_channels_that_they_compute) {
  ModelWriter write;
  const auto first = write.conv(write.input({1, 3, 6, 6}), 3, 8);
  const Graph graph = write.model(write.conv(write.conv(first, 8, 4), 4, 2));
  const ChannelGroups found = find_channel_groups(graph, {1});
  ASSERT_THAT(found.groups, SizeIs(1));
  EXPECT_EQ(text(graph, found.groups[0]), "4 Conv1.1:0p Conv1.2:0p Conv2.1:1c");
  EXPECT_THAT(find_channel_groups(graph, {2}).groups, IsEmpty()) << "the model's output";
}

}  // namespace
}  // namespace adze::host
