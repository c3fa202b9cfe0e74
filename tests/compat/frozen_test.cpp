// Plugins built from the frozen headers of ABI 1.0, by several compilers, do their work in today's
// host.
#include "host/abi/backend.hpp"
#include "tests/bad_plugins/graphs.hpp"
#include "tests/needs.hpp"

namespace adze::host {
namespace {

using testing::ElementsAre;

class Frozen : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    ADZE_NEEDS(std::filesystem::exists(test::test_plugin(GetParam())), "a second compiler");
  }
  const Graph graph_ = test::two_gemms();
};

TEST_P(Frozen, pruner_masks_small_weights) {
  const EditList edits =
      run_edit_component(test::component(GetParam(), 0), {}, graph_, {0, 1}, {}, {});
  const Graph pruned = edits.commit();
  EXPECT_THAT(pruned.values[1].constant->as<float>(), ElementsAre(0, 0, 3, 4, 5, 6));
  EXPECT_THAT(pruned.values[4].constant->as<float>(), ElementsAre(6, 5, 4, 3, 0, 0));
}

TEST_P(Frozen, pruner_takes_its_argument) {
  const EditList edits =
      run_edit_component(test::component(GetParam(), 0), {{"threshold", 5.5}}, graph_, {0}, {}, {});
  EXPECT_THAT(edits.commit().values[1].keep, ElementsAre(0, 0, 0, 0, 0, 1));
}

TEST_P(Frozen, quantizer_takes_back_and_sets_scales) {
  const EditList edits =
      run_edit_component(test::component(GetParam(), 1), {}, graph_, {1}, {}, {});
  EXPECT_EQ(edits.edits().size(), 1u);
  EXPECT_THAT(edits.commit().values[4].quant.value().scale, ElementsAre(0.25f));
}

TEST_P(Frozen, backend_places_estimates_runs_and_profiles) {
  const Component backend = test::component(GetParam(), 2);
  EXPECT_EQ(place(backend, {}, graph_, {}).at(1).unit, "CPU");
  const WhatIf question{.node = kNone, .sparsity = 0.5};
  EXPECT_THAT(estimate(backend, {}, graph_, {}, {&question, 1}), ElementsAre(1.5));
  BackendRunner runner(backend, {}, graph_, "old", {}, {});
  const std::vector<float> elements = {1, 1};
  const std::vector<Tensor> inputs = {Tensor(DType::f32, {1, 2}, std::span<const float>(elements))};
  // (1+2, 3+4, 5+6), then (6*3+5*7+4*11, 3*3+2*7+1*11)
  EXPECT_THAT(runner.run(inputs).at(0).tensor.as<float>(), ElementsAre(97, 34));
  EXPECT_EQ(runner.profile().at(1).nodes.at(0), "last");
}

INSTANTIATE_TEST_SUITE_P(Builds, Frozen,
                         testing::Values("old_gcc", "old_clang", "old_unoptimized", "old_stripped"),
                         [](const auto& build) { return std::string(build.param); });

}  // namespace
}  // namespace adze::host
