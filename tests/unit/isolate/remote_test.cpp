// A component in a worker sees, gets and gives what it does in this process.
#include <gtest/gtest.h>

#include "host/abi/backend.hpp"
#include "host/abi/loaded_executable.hpp"
#include "host/base/error.hpp"
#include "host/base/file.hpp"
#include "host/base/hash.hpp"
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

Ran run(const Component& component, bool fail) {
  static const Target target("rzv2h", {{"clock.mhz", 1.5},
                                       {"engines", std::vector<std::string>{"DRP-AI", "CPU"}},
                                       {"sparse", true}});
  test::Services services;
  Settings settings = kSettings;
  settings["fail"] = fail ? 1.0 : 0.0;
  Ran ran;
  try {
    const EditList edits = run_edit_component(
        component, settings, graph_with_everything(), {0, 1},
        {.threads = 3, .seed = 42, .target = &target, .progress = {}}, services.all());
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
