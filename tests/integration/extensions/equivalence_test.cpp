// A model without some channels computes what the whole model computes when those channels count
// for nothing, as ONNX Runtime sees both.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <random>

#include "host/base/file.hpp"
#include "host/edit/edit.hpp"
#include "host/graph/simplify.hpp"
#include "host/onnx/model.hpp"
#include "tests/onnxruntime/ort.hpp"
#include "tests/unit/channels/models.hpp"

namespace adze::host {
namespace {

using adze::testing::OrtSession;
using Removal = std::map<std::uint32_t, std::vector<std::uint32_t>>;

/// Zeros the members' entries of removed channels; `roles`: of which members.
Graph zeroed(const Graph& graph, const ChannelGroups& groups, const Removal& removal,
             const std::vector<ChannelRole>& roles) {
  Graph made = graph;
  for (const auto& [g, channels] : removal)
    for (const ChannelMember& member : groups.groups[g].members) {
      if (std::ranges::find(roles, member.role) == roles.end()) continue;
      Tensor& constant = *made.values[member.value].constant;
      const Shape shape = constant.shape();
      std::size_t inner = 1;
      for (std::size_t axis = member.axis + 1; axis < shape.size(); ++axis)
        inner *= static_cast<std::size_t>(shape[axis]);
      const auto size = static_cast<std::size_t>(shape[member.axis]);
      const std::span<float> elements = constant.mutate<float>();
      for (const std::uint32_t channel : channels)
        for (std::uint32_t i = 0; i < member.span; ++i)
          for (std::size_t outer = 0; outer < elements.size() / (size * inner); ++outer)
            std::ranges::fill(
                elements.subspan((outer * size + member.indices[channel * member.span + i]) * inner,
                                 inner),
                0.0f);
    }
  return made;
}

Removal remove_some(EditList& edits, std::uint64_t seed, std::uint32_t of_four) {
  std::mt19937_64 random(seed);
  Removal removal;
  const auto& groups = edits.channel_groups().groups;
  for (std::uint32_t g = 0; g < groups.size(); ++g) {
    const std::size_t stays = random() % groups[g].channels.size();
    for (std::uint32_t c = 0; c < groups[g].channels.size(); ++c)
      if (c != stays && random() % 4 < of_four) removal[g].push_back(c);
    edits.remove_channels(g, removal[g]);
  }
  return removal;
}

class Equivalence : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(adze::testing::ort_library())
        << "set ADZE_ONNXRUNTIME to libonnxruntime.so.1 (ci/onnxruntime.sh)";
  }
  std::vector<float> run(const Graph& graph, std::int64_t samples) {
    const std::filesystem::path file = folder_.path() / "model.onnx";
    save_model(graph, file);
    OrtSession session(*adze::testing::ort_library(), file, 1);
    OrtSession::Tensor input{*graph.value(graph.inputs[0]).shape, {}};
    input.shape[0] = samples;
    std::mt19937_64 random(99);
    std::uniform_real_distribution<float> distribution(-1, 1);
    input.elements.resize(static_cast<std::size_t>(element_count(input.shape)));
    for (float& x : input.elements) x = distribution(random);
    return session.run(std::span(&input, 1))[0].elements;
  }
  void expect_same(const std::vector<float>& a, const std::vector<float>& b,
                   const std::string& where) {
    ASSERT_EQ(a.size(), b.size()) << where;
    double signal = 0, noise = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      signal += static_cast<double>(a[i]) * a[i];
      noise += std::pow(static_cast<double>(a[i]) - b[i], 2);
    }
    EXPECT_TRUE(std::isfinite(signal)) << where;
    EXPECT_GT(signal, 0) << where;
    EXPECT_LT(noise, signal * 1e-9) << where;
  }

  const TemporaryDirectory folder_;
};

TEST_F(Equivalence, of_random_models_with_nothing_consuming_the_channels) {
  std::size_t removed = 0, models = 0;
  for (std::uint64_t seed = 100; seed < 140; ++seed) {
    const Graph graph = test::random_model(seed);
    EditList edits(graph, test::all_nodes(graph));
    const Removal removal = remove_some(edits, seed, 2);
    std::size_t here = 0;
    for (const auto& [group, channels] : removal) here += channels.size();
    removed += here;
    models += here > 0;
    const Graph reference = zeroed(graph, edits.channel_groups(), removal, {ChannelRole::consumes});
    expect_same(run(reference, 1), run(edits.commit(), 1), "seed " + std::to_string(seed));
  }
  EXPECT_GE(models, 35u);
  EXPECT_GT(removed, 400u);
}

TEST_F(Equivalence, of_the_trained_models_with_nothing_producing_the_channels) {
  for (const char* name : {"fmnist_resnet10", "fmnist_mobilenet"}) {
    Graph graph = load_model(std::filesystem::path(std::getenv("ADZE_SOURCE_DIR")) /
                             "fixtures/models" / (std::string(name) + ".onnx"));
    for (const bool simplified : {false, true}) {
      if (simplified) simplify(graph);
      EditList edits(graph, test::all_nodes(graph));
      EXPECT_GE(edits.channel_groups().groups.size(), 5u) << name;
      const Removal removal = remove_some(edits, 5, 1);
      const Graph cut = edits.commit();
      const std::vector<float> found = run(cut, 8);
      const auto expect = [&](const std::vector<ChannelRole>& roles) {
        expect_same(run(zeroed(graph, edits.channel_groups(), removal, roles), 8), found, name);
      };
      expect({ChannelRole::consumes});
      // Nothing comes out of the layers, and nothing is made of it on the way: all activations of
      // these models take 0 to 0.
      expect({ChannelRole::produces, ChannelRole::passes});
    }
  }
}

}  // namespace
}  // namespace adze::host
