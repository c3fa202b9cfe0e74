#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "host/base/error.hpp"
#include "host/edit/edit.hpp"
#include "host/services/structure_service.hpp"
#include "tests/bad_plugins/graphs.hpp"
#include "tests/unit/channels/models.hpp"

namespace adze::host {
namespace {

using test::ModelWriter;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using Channels = std::vector<std::uint32_t>;

std::string error_of(EditList& edits, std::uint32_t group, const Channels& channels) {
  try {
    edits.remove_channels(group, channels);
    return "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code, ADZE_INVALID_ARGUMENT);
    return error.what();
  }
}

/// input [N, 2] -> Gemm (weight 3x2) -> Gemm (weight 2x3): one group of three channels.
class RemoveChannels : public testing::Test {
 protected:
  Graph graph = test::two_gemms();
  EditList edits{graph, {0}};
};

TEST_F(RemoveChannels, refuses_what_is_not_in_order_there_or_allowed) {
  EXPECT_THAT(error_of(edits, 1, {0}), HasSubstr("no group 1 among 1"));
  EXPECT_THAT(error_of(edits, kNone, {0}), HasSubstr("no group"));
  EXPECT_THAT(error_of(edits, 0, {0, 1, 2}), HasSubstr("one must stay"));
  EXPECT_THAT(error_of(edits, 0, {3}), HasSubstr("no channel 3 among 3"));
  EXPECT_THAT(error_of(edits, 0, {1, 0}), HasSubstr("channel 0 after 1"));
  EXPECT_THAT(error_of(edits, 0, {1, 1}), HasSubstr("channel 1 after 1"));
  EXPECT_TRUE(edits.edits().empty());
}

TEST_F(RemoveChannels, cuts_constants_masks_scales_and_shapes) {
  graph.values[4].keep = {1, 1, 0, 1, 1, 1};
  graph.values[4].pattern = "unstructured";
  graph.values[1].quant = Quant{.axis = 0, .is_signed = true, .scale = {1, 2, 3}};
  graph.values[1].quant->zero_point = {4, 5, 6};
  edits.remove_channels(0, Channels{1});
  const Graph cut = edits.commit();
  EXPECT_THAT(cut.values[1].constant->as<float>(), ElementsAre(1, 2, 5, 6));
  EXPECT_THAT(cut.values[1].quant->scale, ElementsAre(1, 3));
  EXPECT_THAT(cut.values[1].quant->zero_point, ElementsAre(4, 6));
  EXPECT_EQ(cut.values[2].shape, Shape{2});
  EXPECT_EQ(cut.values[3].shape, (Shape{1, 2}));
  EXPECT_THAT(cut.values[4].constant->as<float>(), ElementsAre(6, 4, 3, 1));
  EXPECT_THAT(cut.values[4].keep, ElementsAre(1, 0, 1, 1));
  EXPECT_EQ(cut.values[6].shape, (Shape{1, 2}));
  EXPECT_EQ(graph.values[1].constant->count(), 6) << "the graph as shown is never touched";
}

TEST_F(RemoveChannels, other_edits_of_the_list_speak_of_the_channels_as_shown) {
  edits.remove_channels(0, Channels{0, 2});
  edits.set_mask(1, std::vector<std::uint8_t>{1, 1, 1, 0, 1, 1});
  edits.set_quant(1, Quant{.axis = 0, .is_signed = true, .scale = {1, 2, 3}});
  const Graph cut = edits.commit();
  EXPECT_THAT(cut.values[1].constant->as<float>(), ElementsAre(3, 0));
  EXPECT_THAT(cut.values[1].keep, ElementsAre(1, 0));
  EXPECT_THAT(cut.values[1].quant->scale, ElementsAre(2));
}

TEST_F(RemoveChannels, the_later_removal_from_a_group_counts_and_rewind_undoes) {
  edits.remove_channels(0, Channels{0});
  const std::uint64_t mark = edits.mark();
  edits.remove_channels(0, Channels{1, 2});
  EXPECT_THAT(edits.commit().values[1].constant->as<float>(), ElementsAre(1, 2));
  edits.rewind(mark);
  EXPECT_THAT(edits.commit().values[1].constant->as<float>(), ElementsAre(3, 4, 5, 6));
  edits.remove_channels(0, {});
  EXPECT_EQ(edits.commit().values[1].constant->count(), 6);
}

TEST(RemoveChannelsOf, a_pattern_that_no_longer_holds_is_given_up) {
  for (const bool holds : {true, false}) {
    Graph graph = test::two_gemms();
    graph.values[4] = test::constant("last.weight", {2, 3}, {0, 5, 4, 0, 2, 1});
    graph.values[4].consumers = {1};
    graph.values[4].keep = {0, 1, 1, 0, 1, 1};  // at most 1 of 2 in (0, 1), (2)
    graph.values[4].pattern = "1:2";
    EditList edits(graph, {0});
    edits.remove_channels(0, Channels{holds ? 2u : 0u});
    EXPECT_EQ(edits.commit().values[4].pattern, holds ? "1:2" : "unstructured");
  }
}

TEST(RemoveChannelsOf, sizes_that_another_node_reads_too_are_spelled_anew) {
  ModelWriter write;
  const auto sizes = write.integers({4, 4});
  const auto x = write.input({1, 3, 6, 6});
  const auto a = write.node("Split", {write.conv(x, 3, 8), sizes}, {{"axis", std::int64_t{1}}}, 2);
  const auto b = write.node("Split", {write.conv(x, 3, 8), sizes}, {{"axis", std::int64_t{1}}}, 2);
  const auto all = write.one("Concat", {a[0], a[1], b[0], b[1]}, {{"axis", std::int64_t{1}}});
  const Graph graph = write.model(write.conv(all, 16, 2));
  EditList edits(graph, test::all_nodes(graph));
  ASSERT_EQ(edits.channel_groups().groups.size(), 2u);
  edits.remove_channels(0, Channels{0, 1, 5});
  const Graph cut = parse_model(serialize_model(edits.commit()), {});
  const auto sizes_of = [&](const char* name) {
    return cut.value(cut.nodes.at(cut.find_node(name)).inputs[1]).constant->as<std::int64_t>();
  };
  EXPECT_THAT(sizes_of("Split1"), ElementsAre(2, 3));
  EXPECT_THAT(sizes_of("Split3"), ElementsAre(4, 4));
}

TEST(RemoveChannelsOf, random_models_leaves_what_a_loader_infers) {
  int removed = 0;
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    const Graph graph = test::random_model(seed);
    std::mt19937_64 random(seed);
    EditList edits(graph, test::all_nodes(graph));
    const auto& groups = edits.channel_groups().groups;
    for (std::uint32_t g = 0; g < groups.size(); ++g) {
      Channels leaving;
      for (std::uint32_t c = 1; c < groups[g].channels.size(); ++c)
        if (random() % 2) leaving.push_back(c);
      edits.remove_channels(g, leaving);
      removed += static_cast<int>(leaving.size());
    }
    const Graph cut = edits.commit();
    const Graph loaded = parse_model(serialize_model(cut), {});
    for (const Value& value : loaded.values) {
      const std::uint32_t ours = cut.find_value(value.name);
      ASSERT_NE(ours, kNone) << value.name;
      EXPECT_EQ(cut.value(ours).shape, value.shape) << "seed " << seed << ", " << value.name;
    }
  }
  EXPECT_GT(removed, 200);
}

TEST(StructureService, shows_the_groups_of_the_edit_list) {
  const Graph graph = test::two_gemms();
  StructureService service(graph, {0}, 8);
  Call call(test::component("bad_edits"), {}, {});
  call.offer(service);
  const auto& table = *static_cast<const adze_structure*>(
      call.get()->host->get_extension(call.get(), ADZE_STRUCTURE));
  std::uint64_t count = 0;
  const adze_group* const* groups = nullptr;
  EXPECT_EQ(table.groups(call.get(), nullptr, &groups), ADZE_INVALID_ARGUMENT);
  EXPECT_EQ(table.groups(call.get(), &count, nullptr), ADZE_INVALID_ARGUMENT);
  ASSERT_EQ(table.groups(call.get(), &count, &groups), ADZE_OK);
  ASSERT_EQ(count, 1u);
  EXPECT_EQ(groups[0]->channel_count, 3u);
  EXPECT_EQ(groups[0]->multiple, 8u);
  ASSERT_EQ(groups[0]->member_count, 3u);
  const adze_member& last = *groups[0]->members[2];
  EXPECT_EQ(last.role, static_cast<std::uint32_t>(ADZE_ROLE_CONSUMES));
  EXPECT_EQ(last.value, 4u);
  EXPECT_EQ(last.axis, 1u);
  EXPECT_EQ(last.indices[2], 2u);
}

TEST(StructureService, counts_the_multiple_in_channels_that_leave_as_one) {
  ModelWriter write;
  const auto x = write.conv(write.conv(write.input({1, 3, 6, 6}), 3, 8), 8, 16, 4);
  const Graph graph = write.model(write.conv(x, 16, 2));
  StructureService service(graph, test::all_nodes(graph), 8);
  ASSERT_EQ(service.groups().size(), 1u);
  EXPECT_EQ(service.groups()[0]->multiple, 4u) << "2 and 4 channels a piece, in eights";
}

}  // namespace
}  // namespace adze::host
