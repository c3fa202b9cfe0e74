// A component in a worker sees, gets and gives what it does in this process.
#include <gtest/gtest.h>

#include "host/abi/backend.hpp"
#include "host/abi/loaded_executable.hpp"
#include "host/base/error.hpp"
#include "host/base/file.hpp"
#include "host/base/hash.hpp"
#include "host/isolate/shared_constants.hpp"
#include "tests/unit/isolate/isolated.hpp"
#include "tests/unit/isolate/services.hpp"

namespace adze::host {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Graph graph_with_everything() {
  Graph graph = test::two_gemms();
  graph.values[1].keep = {1, 0, 1, 1, 1, 1};
  graph.values[1].constant = Tensor(DType::f32, {3, 2}, std::span<const float>({1, 0, 3, 4, 5, 6}));
  graph.values[3].quant = Quant{.scale = {0.5f}, .zero_point = {128}};
  graph.values[4].quant = Quant{.axis = 0, .is_signed = true, .scale = {0.25f, 0.125f}};
  graph.nodes[0].attributes["axes"] = std::vector<std::int64_t>{1, -2};
  graph.nodes[0].attributes["empty"] = std::vector<double>{};
  graph.nodes[0].attributes["mode"] = std::string("nearest");
  graph.nodes[0].attributes["names"] = std::vector<std::string>{"a", "", "c"};
  graph.nodes[0].attributes["value"] =
      Tensor(DType::i64, {2}, std::span<const std::int64_t>({7, 8}));
  graph.nodes[0].attributes["body"] = Subgraph{"bytes"};
  graph.nodes[1].inputs.push_back(kNone);
  return graph;
}

const Settings kSettings = {{"names", std::vector<std::string>{"x", "y"}},
                            {"levels", std::map<std::string, double>{{"a", 1}, {"b", 2.5}}}};

struct Ran {
  std::string account;
  std::vector<std::string> edits;
};

Ran run(const Component& component, bool fail, const Graph& graph = graph_with_everything()) {
  static const Target target("rzv2h", {{"clock.mhz", 1.5},
                                       {"engines", std::vector<std::string>{"DRP-AI", "CPU"}},
                                       {"sparse", true}});
  test::Services services;
  Settings settings = kSettings;
  settings["fail"] = fail ? 1.0 : 0.0;
  Ran ran;
  try {
    const EditList edits = run_edit_component(
        component, settings, graph, {0, 1},
        {.threads = 3, .seed = 42, .target = &target, .progress = {}}, services.all(), {2, 5});
    for (const Edit& edit : edits.edits())
      ran.edits.push_back(std::to_string(static_cast<int>(edit.kind)) + " " +
                          std::to_string(edit.target) + " " + std::to_string(edit.keep.size()) +
                          " " +
                          (edit.kind == Edit::Kind::constant ? hex(edit.constant.bytes()) : ""));
  } catch (const PluginError& error) {
    ran.account = error.what();
  }
  return ran;
}

TEST(RemoteComponent, is_shown_and_served_the_same_as_in_this_process) {
  const Ran here = run(test::component("probe"), true);
  EXPECT_THAT(here.account, HasSubstr("onnx 300000"));
  EXPECT_THAT(here.account, HasSubstr("refits:"));
  const test::Isolated isolated("probe");
  EXPECT_EQ(run(isolated.component(), true).account, here.account);
}

TEST(RemoteComponent, asks_for_the_same_edits_as_in_this_process) {
  const Ran here = run(test::component("probe"), false);
  EXPECT_EQ(here.edits.size(), 2u) << here.account;
  const test::Isolated isolated("probe");
  const Ran there = run(isolated.component(), false);
  EXPECT_EQ(there.edits, here.edits) << there.account;
}

/// Constants that no message carries: a large one, and one whose elements are all the same.
Graph graph_with_large_constants() {
  Graph graph = test::two_gemms();
  std::vector<float> elements(70000);
  for (std::size_t i = 0; i < elements.size(); ++i) elements[i] = static_cast<float>(i);
  graph.values[1].constant = Tensor(DType::f32, {35000, 2}, std::span<const float>(elements));
  graph.values[1].shape = Shape{35000, 2};
  graph.values[4].constant = Tensor::uniform(DType::f32, {2, 100001}, 1.5);
  graph.values[4].shape = Shape{2, 100001};
  return graph;
}

TEST(RemoteComponent, large_constants_are_seen_the_same_first_again_and_after_they_change) {
  Graph graph = graph_with_large_constants();
  const test::Isolated isolated("probe");
  const std::string before = run(test::component("probe"), true, graph).account;
  EXPECT_EQ(run(isolated.component(), true, graph).account, before);
  EXPECT_EQ(run(isolated.component(), true, graph).account, before);
  graph.values[1].constant->mutate<float>()[69999] = -1;
  const std::string after = run(test::component("probe"), true, graph).account;
  EXPECT_NE(after, before);
  EXPECT_EQ(run(isolated.component(), true, graph).account, after);
}

class Shown {
 public:
  Shown(const Component& component, const Graph& graph) : call_(component, {}, {}), view_(graph) {
    call_.show(view_);
  }
  std::shared_ptr<const SharedFile> file(std::size_t value) {
    return SharedConstants(call_.get()).find(view_.graph()->values[value]->constant);
  }

 private:
  Call call_;
  View view_;
};

TEST(SharedConstants, a_constant_is_copied_once_and_again_only_when_it_changed) {
  Graph graph = graph_with_large_constants();
  const Component component = test::component("toy_backend");
  const std::uint64_t id = Shown(component, graph).file(1)->id;
  EXPECT_EQ(Shown(component, graph).file(1)->id, id);
  const Graph copy = graph;
  EXPECT_EQ(Shown(component, copy).file(1)->id, id);
  graph.values[1].constant->mutate<float>()[0] = 7;
  EXPECT_NE(Shown(component, graph).file(1)->id, id);
  EXPECT_EQ(Shown(component, copy).file(1)->id, id);
}

TEST(SharedConstants, one_that_is_changed_in_place_is_copied_again) {
  Graph graph = graph_with_large_constants();
  const Component component = test::component("toy_backend");
  const auto file = Shown(component, graph).file(1);
  graph.values[1].constant->mutate<float>()[0] = 7;
  EXPECT_NE(Shown(component, graph).file(1)->id, file->id);
}

TEST(SharedConstants, small_ones_have_no_file_and_uniform_ones_a_small_one) {
  const Graph graph = graph_with_large_constants();
  Shown shown(test::component("toy_backend"), graph);
  EXPECT_EQ(shown.file(2), nullptr);
  EXPECT_EQ(shown.file(4)->shown_bytes, 800008u);
  EXPECT_EQ(shown.file(4)->file_bytes, 65536u);
}

TEST(RemoteComponent, a_released_statistic_is_released_in_the_host) {
  test::released() = 0;
  const test::Isolated isolated("probe");
  run(isolated.component(), false);
  EXPECT_EQ(test::released(), 1);
}

TEST(RemoteComponent, a_stop_reaches_it_and_is_no_fault) {
  const test::Isolated isolated("toy_backend");
  const CallOptions options{.progress = [](double, const std::string&) { return true; }};
  try {
    BackendRunner runner(isolated.component(), {}, test::two_gemms(), "toy", options, {});
    FAIL() << "compiled";
  } catch (const Error& error) {
    EXPECT_EQ(error.code, ADZE_CANCELLED);
    EXPECT_THAT(error.what(), HasSubstr("was stopped"));
  }
}

std::vector<Tensor> samples(std::int64_t count) {
  std::vector<float> elements;
  for (std::int64_t i = 0; i < count; ++i) {
    elements.push_back(static_cast<float>(i));
    elements.push_back(1);
  }
  return {Tensor(DType::f32, {count, 2}, std::span<const float>(elements))};
}

TEST(RemoteBackend, places_estimates_compiles_runs_profiles_and_gives_its_files) {
  const test::Isolated isolated("toy_backend");
  const Component toy = isolated.component();
  const Graph graph = test::two_gemms();
  const auto placements = place(toy, {}, graph, {});
  ASSERT_EQ(placements.size(), 2u);
  EXPECT_EQ(placements[0].unit, "TOY");
  EXPECT_EQ(placements[1].reason, "only the first");
  const WhatIf questions[] = {{kNone, 0.5}, {1, 0}};
  EXPECT_THAT(estimate(toy, {}, graph, {}, questions), ElementsAre(7.5, 1));

  BackendRunner runner(toy, {}, graph, "toy", {}, {.batch = 2, .extra_outputs = {"hidden"}});
  const auto outputs = runner.run(samples(5));
  ASSERT_EQ(outputs.size(), 2u);
  EXPECT_THAT(outputs[0].tensor.as<float>(), ElementsAre(2, 3, 4, 5, 6, 7, 8, 9, 10, 11));
  EXPECT_EQ(runner.profile().front().latency_ms, 3);
  const TemporaryDirectory folder;
  EXPECT_THAT(runner.artifacts(folder.path()), ElementsAre("model/toy.txt"));

  LoadedExecutable loaded(toy, {}, signature_of(graph), folder.path(), {},
                          {.batch = 1, .node_names = node_names_of(graph), .label = "toy"});
  EXPECT_THAT(loaded.run(samples(1)).front().tensor.as<float>(), ElementsAre(2, 3));
}

TEST(RemoteComponent, a_limit_below_what_a_worker_needs_is_not_the_plugins_fault) {
  const test::Isolated isolated("probe", {.memory_mb = 1});
  EXPECT_THAT(run(isolated.component(), true).account,
              HasSubstr("the memory limit of 1 MB is below the 256 MB that a worker needs"));
}

TEST(RemoteBackend, a_large_batch_travels_as_well_as_a_small_one) {
  const test::Isolated isolated("toy_backend");
  BackendRunner there(isolated.component(), {}, test::two_gemms(), "toy", {}, {.batch = 100000});
  BackendRunner here(test::component("toy_backend"), {}, test::two_gemms(), "toy", {},
                     {.batch = 100000});
  const auto inputs = samples(100000);
  EXPECT_TRUE(
      std::ranges::equal(there.run(inputs)[0].tensor.bytes(), here.run(inputs)[0].tensor.bytes()));
}

}  // namespace
}  // namespace adze::host
