#include "host/abi/backend.hpp"

#include <gtest/gtest.h>

#include "host/abi/loaded_executable.hpp"
#include "host/base/error.hpp"
#include "host/base/file.hpp"
#include "tests/bad_plugins/graphs.hpp"

namespace adze::host {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Component toy() { return test::component("toy_backend"); }

/// Sample i is {i, 1}.
std::vector<Tensor> samples(std::int64_t count) {
  std::vector<float> elements;
  for (std::int64_t i = 0; i < count; ++i) {
    elements.push_back(static_cast<float>(i));
    elements.push_back(1);
  }
  return {Tensor(DType::f32, {count, 2}, std::span<const float>(elements))};
}

TEST(BackendRunner, runs_any_number_of_samples_in_batches_of_the_compiled_size) {
  BackendRunner runner(toy(), {}, test::two_gemms(), "toy:model", {},
                       {.batch = 2, .extra_outputs = {}});
  EXPECT_EQ(runner.name(), "toy:model");
  const auto outputs = runner.run(samples(5));
  ASSERT_EQ(outputs.size(), 1u);
  EXPECT_EQ(outputs[0].name, "output");
  EXPECT_EQ(outputs[0].tensor.shape(), (Shape{5, 2}));
  EXPECT_THAT(outputs[0].tensor.as<float>(), ElementsAre(2, 3, 4, 5, 6, 7, 8, 9, 10, 11));
  EXPECT_EQ(runner.profile().front().latency_ms, 3) << "runs of 2, 2 and 1";
}

TEST(BackendRunner, the_batch_changes_nothing_but_the_number_of_runs) {
  std::vector<std::vector<float>> seen;
  for (const std::uint32_t batch : {1u, 2u, 3u, 8u}) {
    BackendRunner runner(toy(), {}, test::two_gemms(), "toy", {},
                         {.batch = batch, .extra_outputs = {}});
    const auto outputs = runner.run(samples(7));
    const auto elements = outputs[0].tensor.as<float>();
    seen.emplace_back(elements.begin(), elements.end());
  }
  for (const auto& elements : seen) EXPECT_EQ(elements, seen.front());
}

TEST(BackendRunner, extra_outputs_come_after_the_models_in_the_order_asked) {
  BackendRunner runner(toy(), {{"gain", 1.0}}, test::two_gemms(), "toy", {},
                       {.batch = 1, .extra_outputs = {"output", "hidden"}});
  const auto outputs = runner.run(samples(2));
  ASSERT_EQ(outputs.size(), 3u);
  EXPECT_EQ(outputs[1].name, "output");
  EXPECT_EQ(outputs[2].name, "hidden");
  EXPECT_THAT(outputs[2].tensor.as<float>(), ElementsAre(1, 2, 3, 2, 3, 4));
}

TEST(BackendRunner, what_the_user_gives_wrong_is_not_the_plugins_fault) {
  const auto usage = [](auto&& body) -> std::string {
    try {
      body();
    } catch (const Error& error) {
      EXPECT_EQ(error.exit(), Exit::usage) << error.what();
      return error.what();
    }
    return "accepted";
  };
  BackendRunner runner(toy(), {}, test::two_gemms(), "toy", {}, {});
  EXPECT_THAT(usage([&] { runner.run({}); }), HasSubstr("has 1 inputs, 0 were given"));
  const std::vector<Tensor> wide = {Tensor(DType::f32, {1, 3})};
  EXPECT_THAT(usage([&] { runner.run(wide); }), HasSubstr("'input' is 1x2, given as 1x3"));
  const std::vector<Tensor> bytes = {Tensor(DType::u8, {1, 2})};
  EXPECT_THAT(usage([&] { runner.run(bytes); }), HasSubstr("given as uint8"));
  const std::vector<Tensor> none = {Tensor(DType::f32, {0, 2})};
  EXPECT_THAT(usage([&] { runner.run(none); }), HasSubstr("at least one"));
  EXPECT_THAT(usage([] {
                BackendRunner(toy(), {}, test::two_gemms(), "toy", {},
                              {.batch = 1, .extra_outputs = {"no_such_value"}});
              }),
              HasSubstr("no_such_value"));
  EXPECT_THAT(usage([] {
                BackendRunner(toy(), {}, test::two_gemms(), "toy", {},
                              {.batch = 0, .extra_outputs = {}});
              }),
              HasSubstr("batch of 0"));
  EXPECT_THAT(usage([] {
                BackendRunner(test::component("bad_edits"), {}, test::two_gemms(), "x", {}, {});
              }),
              HasSubstr("is a pruner, not a backend"));
}

TEST(BackendRunner, a_model_without_a_batch_axis_runs_as_it_is_and_only_so) {
  Graph graph = test::two_gemms();
  for (Value& value : graph.values) value.batch_axis = -1;
  BackendRunner runner(toy(), {}, graph, "toy", {}, {});
  EXPECT_EQ(runner.run(samples(1)).front().tensor.shape(), (Shape{1, 2}));
  EXPECT_THROW(runner.run(samples(2)), Error);
  EXPECT_THROW(BackendRunner(toy(), {}, graph, "toy", {}, {.batch = 2, .extra_outputs = {}}),
               Error);
}

TEST(BackendRunner, profile_is_predicted_before_the_first_run_and_names_nodes) {
  BackendRunner runner(toy(), {}, test::two_gemms(), "toy", {}, {});
  EXPECT_TRUE(runner.profile().front().predicted);
  runner.run(samples(1));
  const ProfileRow row = runner.profile().front();
  EXPECT_FALSE(row.predicted);
  EXPECT_THAT(row.nodes, ElementsAre("first", "last"));
  EXPECT_EQ(row.engine, "TOY");
  EXPECT_EQ(row.bytes, 64u);
}

TEST(BackendRunner, a_stop_during_compile_is_no_fault) {
  const CallOptions stopping{
      .threads = 1, .seed = 0, .target = nullptr, .progress = [](double, const std::string&) {
        return true;
      }};
  try {
    BackendRunner(toy(), {}, test::two_gemms(), "toy", stopping, {});
    FAIL() << "not stopped";
  } catch (const Error& error) {
    EXPECT_EQ(error.code, ADZE_CANCELLED);
  }
}

TEST(Backend, places_every_node_with_a_reason) {
  const auto placements = place(toy(), {}, test::two_gemms(), {});
  ASSERT_EQ(placements.size(), 2u);
  EXPECT_EQ(placements[0].node, "first");
  EXPECT_EQ(placements[0].verdict, std::uint32_t{ADZE_PLACED});
  EXPECT_EQ(placements[1].unit, "CPU");
  EXPECT_EQ(placements[1].reason, "only the first");
}

TEST(Backend, estimates_each_question) {
  const WhatIf questions[] = {{}, {.node = 0, .sparsity = 0.5}};
  EXPECT_THAT(estimate(toy(), {}, test::two_gemms(), {}, questions), ElementsAre(10, 0.75));
  EXPECT_TRUE(estimate(toy(), {}, test::two_gemms(), {}, {}).empty());
  const WhatIf unknown{.node = 9, .sparsity = 0};
  EXPECT_THROW(estimate(toy(), {}, test::two_gemms(), {}, {&unknown, 1}), Error);
}

class LoadedExecutableTest : public testing::Test {
 protected:
  void SetUp() override {
    BackendRunner runner(toy(), {{"gain", 5.0}}, test::two_gemms(), "toy", {},
                         {.batch = 2, .extra_outputs = {}});
    EXPECT_THAT(runner.artifacts(folder.path()), ElementsAre("model/toy.txt"));
    expected = runner.run(samples(3));
  }
  LoadedExecutable loaded() {
    const Graph graph = test::two_gemms();
    return LoadedExecutable(
        toy(), {}, signature_of(graph), folder.path(), {},
        {.batch = 2, .node_names = node_names_of(graph), .label = "toy on a board"});
  }
  TemporaryDirectory folder;
  std::vector<NamedTensor> expected;
};

TEST_F(LoadedExecutableTest, computes_what_was_compiled_without_the_model) {
  LoadedExecutable executable = loaded();
  const auto outputs = executable.run(samples(3));
  ASSERT_EQ(outputs.size(), 1u);
  EXPECT_EQ(outputs[0].name, "output");
  EXPECT_THAT(outputs[0].tensor.as<float>(),
              testing::ElementsAreArray(expected[0].tensor.as<float>()));
  EXPECT_THAT(executable.profile().front().nodes, ElementsAre("first", "last"));
  EXPECT_EQ(executable.name(), "toy on a board");
}

TEST_F(LoadedExecutableTest, damaged_files_are_data_loss) {
  write_file(folder.path() / "model/toy.txt", "garbage");
  try {
    loaded();
    FAIL() << "loaded";
  } catch (const PluginError& error) {
    EXPECT_EQ(error.code, ADZE_DATA_LOSS);
    EXPECT_THAT(error.what(), HasSubstr("load: toy.txt is not what compile() wrote"));
  }
}

TEST_F(LoadedExecutableTest, a_backend_that_cannot_load_says_so) {
  try {
    LoadedExecutable(test::component("bad_backend"), {}, signature_of(test::two_gemms()),
                     folder.path(), {}, {});
    FAIL() << "loaded";
  } catch (const Error& error) {
    EXPECT_EQ(error.code, ADZE_UNIMPLEMENTED);
  }
}

TEST(Signature, has_inputs_and_outputs_in_order_and_nothing_else) {
  const Graph signature = signature_of(test::two_gemms());
  ASSERT_EQ(signature.values.size(), 2u);
  EXPECT_TRUE(signature.nodes.empty());
  EXPECT_EQ(signature.value(signature.inputs[0]).name, "input");
  EXPECT_EQ(signature.value(signature.outputs[0]).name, "output");
  EXPECT_EQ(signature.value(signature.outputs[0]).batch_axis, 0);
}

}  // namespace
}  // namespace adze::host
