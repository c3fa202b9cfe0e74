// A model without some channels answers as the whole one does when nobody reads those channels:
// what the analysis ties together is what belongs together. ONNX Runtime judges.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>

#include "host/edit/edit.hpp"
#include "tests/needs.hpp"
#include "tests/onnxruntime/ort.hpp"
#include "tests/unit/channels/models.hpp"

namespace adze::host {
namespace {

using test::ModelWriter;
using Ints = std::vector<std::int64_t>;

std::vector<float> run(const Graph& graph) {
  const auto file = std::filesystem::path(::testing::TempDir()) /
                    ("removed_runs-" + std::to_string(getpid()) + ".onnx");
  save_model(graph, file);
  adze::testing::OrtSession session(*adze::testing::ort_library(), file, 1);
  std::vector<adze::testing::OrtSession::Tensor> inputs;
  for (const std::uint32_t input : graph.inputs) {
    const Shape& shape = *graph.value(input).shape;
    std::vector<float> elements(static_cast<std::size_t>(element_count(shape)));
    for (std::size_t i = 0; i < elements.size(); ++i)
      elements[i] = static_cast<float>(std::sin(1.7 * static_cast<double>(i)));
    inputs.push_back({shape, elements});
  }
  std::filesystem::remove(file);
  return session.run(inputs).at(0).elements;
}

/// The whole model with zeros wherever a layer reads the channels.
Graph unread(Graph graph, const ChannelGroup& group, const std::vector<std::uint32_t>& channels) {
  for (const ChannelMember& member : group.members) {
    if (member.role != ChannelRole::consumes) continue;
    Tensor& constant = *graph.values[member.value].constant;
    const Shape shape = constant.shape();
    const std::int64_t after =
        element_count({shape.begin() + static_cast<std::ptrdiff_t>(member.axis) + 1, shape.end()});
    auto elements = constant.mutate<float>();
    for (std::size_t i = 0; i < elements.size(); ++i) {
      const auto index =
          static_cast<std::uint32_t>(static_cast<std::int64_t>(i) / after % shape[member.axis]);
      for (const std::uint32_t channel : channels)
        for (std::uint32_t s = 0; s < member.span; ++s)
          if (member.indices[channel * member.span + s] == index) elements[i] = 0;
    }
  }
  return graph;
}

/// How many groups there are.
std::size_t expect_same_answers(const Graph& graph, const std::string& what) {
  EditList edits(graph, test::all_nodes(graph));
  const auto& groups = edits.channel_groups().groups;
  for (std::uint32_t g = 0; g < groups.size(); ++g) {
    std::vector<std::uint32_t> leaving;
    for (std::uint32_t c = g % 2; c < groups[g].channels.size(); c += 2) leaving.push_back(c);
    edits.rewind(0);
    edits.remove_channels(g, leaving);
    const std::vector<float> cut = run(edits.commit());
    const std::vector<float> whole = run(unread(graph, groups[g], leaving));
    EXPECT_EQ(cut.size(), whole.size());
    float largest = 1e-3f, difference = 0;
    for (std::size_t i = 0; i < std::min(cut.size(), whole.size()); ++i) {
      largest = std::max(largest, std::abs(whole[i]));
      difference = std::max(difference, std::abs(whole[i] - cut[i]));
    }
    EXPECT_LE(difference, 2e-4f * largest) << what << ", group " << g;
  }
  return groups.size();
}

class RemovedChannels : public ::testing::Test {
 protected:
  void SetUp() override { ADZE_NEEDS(adze::testing::ort_library(), "ONNX Runtime"); }
  ModelWriter write;
};

TEST_F(RemovedChannels, are_missed_by_nobody_in_random_models) {
  std::size_t groups = 0;
  for (std::uint64_t seed = 0; seed < 12; ++seed)
    groups += expect_same_answers(test::random_model(seed), "seed " + std::to_string(seed));
  EXPECT_GT(groups, 20u);
}

TEST_F(RemovedChannels, leave_a_shuffle_in_pairs) {
  const auto x = write.conv(write.input({1, 3, 6, 6}), 3, 16);
  const auto halves = write.node("Split", {x}, {{"axis", std::int64_t{1}}}, 2);
  const auto branch = write.conv(write.one("Relu", {write.conv(halves[1], 8, 8)}), 8, 8);
  const auto both = write.one("Concat", {halves[0], branch}, {{"axis", std::int64_t{1}}});
  const auto stacked = write.one("Reshape", {both, write.integers({1, 2, 8, 6, 6})});
  const auto turned = write.one("Transpose", {stacked}, {{"perm", Ints{0, 2, 1, 3, 4}}});
  const auto shuffled = write.one("Reshape", {turned, write.integers({1, 16, 6, 6})});
  const Graph graph = write.model(write.conv(shuffled, 16, 4));
  EXPECT_EQ(expect_same_answers(graph, "shuffle"), 2u);
}

TEST_F(RemovedChannels, leave_slices_whose_ends_follow) {
  const auto x = write.conv(write.input({1, 3, 6, 6}), 3, 12);
  const auto one = write.integers({1});
  const auto low = write.one("Slice", {x, write.integers({0}), write.integers({5}), one});
  const auto high = write.one("Slice", {x, write.integers({-7}), write.integers({1 << 30}), one});
  // A start that is an axis at the same time.
  const auto middle = write.one("Slice", {x, one, write.integers({9}), one});
  const auto all =
      write.one("Concat", {write.conv(low, 5, 2), write.conv(high, 7, 2), write.conv(middle, 8, 2)},
                {{"axis", std::int64_t{1}}});
  EXPECT_GE(expect_same_answers(write.model(all), "slices"), 3u);
}

TEST_F(RemovedChannels, leave_attention_by_heads_and_its_layers_by_neurons) {
  const std::int64_t tokens = 5, width = 12, heads = 4;
  const auto x = write.input({1, tokens, width});
  const auto split = [&](std::uint32_t value) {
    const auto parts =
        write.one("Reshape", {value, write.integers({1, tokens, heads, width / heads})});
    return write.one("Transpose", {parts}, {{"perm", Ints{0, 2, 1, 3}}});
  };
  // Queries, keys and values of one layer: their heads are the second part of its outputs.
  const auto packed =
      write.one("Reshape", {write.one("MatMul", {x, write.weight({width, 3 * width})}),
                            write.integers({1, tokens, 3, heads, width / heads})});
  const auto turned = write.one("Transpose", {packed}, {{"perm", Ints{2, 0, 3, 1, 4}}});
  std::uint32_t qkv[3];
  for (std::int64_t i = 0; i < 3; ++i)
    qkv[i] = write.one(
        "Squeeze", {write.one("Gather", {turned, write.integers({i})}, {{"axis", std::int64_t{0}}}),
                    write.integers({0})});
  const auto attend = [&](std::uint32_t q, std::uint32_t k, std::uint32_t v) {
    const auto across = write.one("Transpose", {k}, {{"perm", Ints{0, 1, 3, 2}}});
    const auto scores =
        write.one("Softmax", {write.one("MatMul", {q, across})}, {{"axis", std::int64_t{-1}}});
    const auto mixed =
        write.one("Transpose", {write.one("MatMul", {scores, v})}, {{"perm", Ints{0, 2, 1, 3}}});
    const auto joined = write.one("Reshape", {mixed, write.integers({1, tokens, width})});
    return write.one("MatMul", {joined, write.weight({width, width})});
  };
  const auto first = write.one("Add", {x, attend(qkv[0], qkv[1], qkv[2])});
  const auto layer = [&] { return write.one("MatMul", {first, write.weight({width, width})}); };
  const auto q = split(layer()), k = split(layer()), v = split(layer());
  const auto second = write.one("Add", {first, attend(q, k, v)});
  const auto hidden = write.one(
      "Add", {write.one("MatMul", {second, write.weight({width, 20})}), write.weight({20})});
  const Graph graph =
      write.model(write.one("MatMul", {write.one("Relu", {hidden}), write.weight({20, width})}));
  EXPECT_EQ(expect_same_answers(graph, "attention"), 3u);
}

}  // namespace
}  // namespace adze::host
