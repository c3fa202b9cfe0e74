// What "auto" tries, in which order, and what it takes: with quantizers whose cost is known.
#include "host/pipeline/policy.hpp"

#include <adze/quantizer.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "host/base/error.hpp"
#include "host/graph/precision.hpp"

namespace adze::host {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kCalibrators[] = {"auto", "minmax", "mse", nullptr};
constexpr const char* kSwitch[] = {"auto", "on", "off", nullptr};
constexpr adze_param kParams[] = {
    {sizeof(adze_param), ADZE_TEXT, 0, "calibrator", "Ranges.", 0, 0, 0, "auto", kCalibrators},
    {sizeof(adze_param), ADZE_TEXT, 0, "equalize", "Scales.", 0, 0, 0, "auto", kSwitch}};
constexpr adze_quantizer kTable = {sizeof(adze_quantizer), 0, nullptr};

adze_component component(const char* id, std::uint64_t params) {
  adze_component made{};
  made.struct_size = sizeof made;
  made.id = id;
  made.param_count = params;
  made.params = kParams;
  made.quantizer = &kTable;
  return made;
}

/// The name of the graph says how it was made; `drops` say what that costs.
class World {
 public:
  explicit World(std::map<std::string, double> drops) : drops_(std::move(drops)) {
    before.name = "float";
    before.values.resize(2);
    for (std::size_t v = 0; v < 2; ++v) before.values[v].name = v ? "y" : "x";
    Node node;
    node.op = "Sigmoid";
    node.name = "sigmoid";
    node.inputs = {0};
    node.outputs = {1};
    before.nodes.push_back(node);
    before.inputs = {0};
    before.outputs = {1};
  }

  PolicyOutcome run(PolicyOptions options, const adze_component& ptq) {
    const Component quantizer{&ptq, nullptr};
    PolicyTools tools;
    tools.quantize = [this](const Component& used, const Settings& settings, const std::string&) {
      std::string name = used.component->id;
      for (const auto& [key, value] : settings) name += " " + key + "=" + text_of(value);
      tried.push_back(name);
      if (drops_.at(name) < 0) throw Error(ADZE_FAILED_PRECONDITION, "cannot");
      Candidate made{before, {}};
      made.graph.name = name;
      made.graph.values[0].quant = Quant{.scale = {1}, .zero_point = {}};
      return made;
    };
    tools.fallback.estimate = [this](const Graph& graph) {
      const bool reverted = graph.name != "float" && !is_quantized(graph);
      const double drop = drops_.at(reverted ? "reverted" : graph.name);
      return DropEstimate{.drop = drop, .standard_error = 0.1, .output_error = drop / 100};
    };
    tools.fallback.output_error = [this](const Graph& graph) {
      return graph.values[0].quant ? 0.05 : 0.01;
    };
    tools.fallback.predict_ms = [](const Graph& graph) {
      return graph.values[0].quant ? 1.0 : 2.0;
    };
    return run_policy(quantizer, before, options, tools);
  }

  Graph before;
  std::vector<std::string> tried;

 private:
  std::map<std::string, double> drops_;
};

std::vector<std::string> steps_of(const PolicyReport& report) {
  std::vector<std::string> found;
  for (const PolicyStep& step : report.steps)
    found.push_back(step.name + ": " + step.outcome + (step.chosen ? ", taken" : ""));
  return found;
}

TEST(Policy, stops_at_the_first_step_that_is_within) {
  World world({{"ptq", 0.4}});
  const PolicyOutcome outcome = world.run({.max_drop = 0.5}, component("ptq", 2));
  EXPECT_THAT(steps_of(outcome.report), ElementsAre("ptq: within, taken"));
  EXPECT_TRUE(outcome.report.within);
  EXPECT_EQ(outcome.candidate.graph.name, "ptq");
}

TEST(Policy, tries_calibrators_then_corrections_on_the_best_of_them) {
  World world({{"float", 0},
               {"ptq", 3},
               {"ptq calibrator=minmax", 4},
               {"ptq calibrator=mse", 2},
               {"ptq calibrator=mse equalize=on", 0.3}});
  const PolicyOutcome outcome = world.run({.max_drop = 0.5}, component("ptq", 2));
  EXPECT_THAT(steps_of(outcome.report),
              ElementsAre("ptq: outside", "not quantized: within",
                          "ptq, calibrator = minmax: outside", "ptq, calibrator = mse: outside",
                          "ptq, calibrator = mse, equalize = on: within, taken"));
}

TEST(Policy, leaves_alone_what_the_user_set) {
  World world({{"float", 0},
               {"ptq calibrator=mse", 3},
               {"ptq calibrator=mse equalize=on", 2},
               {"reverted", 0.2}});
  const PolicyOutcome outcome = world.run(
      {.max_drop = 0.5, .settings = {{"calibrator", std::string("mse")}}}, component("ptq", 2));
  EXPECT_THAT(steps_of(outcome.report),
              ElementsAre("ptq: outside", "not quantized: within", "other calibrators: skipped",
                          "ptq, equalize = on: outside", "fallback: within, taken"));
  EXPECT_THAT(outcome.report.steps[2].reason, HasSubstr("the recipe gives"));
  EXPECT_FALSE(is_quantized(outcome.candidate.graph));
}

TEST(Policy, works_with_a_quantizer_that_has_no_options_and_says_so) {
  World world({{"float", 0}, {"ptq", 3}, {"reverted", 2}});
  PolicyOptions options{.max_drop = 0.5};
  options.qat_missing = "there is no LibTorch";
  const PolicyOutcome outcome = world.run(options, component("ptq", 0));
  EXPECT_THAT(
      steps_of(outcome.report),
      ElementsAre("ptq: outside, taken", "not quantized: within", "other calibrators: skipped",
                  "corrections: skipped", "fallback: outside", "qat: skipped"));
  EXPECT_FALSE(outcome.report.within);
  EXPECT_TRUE(is_quantized(outcome.candidate.graph));
  EXPECT_EQ(outcome.report.steps.back().reason, "there is no LibTorch");
  EXPECT_THAT(outcome.report.decision, HasSubstr("no step came within"));
}

TEST(Policy, trains_when_rounding_cannot_win_back_what_was_lost_before) {
  World world({{"float", 1.9}, {"ptq", 1.95}, {"qat", 0.4}});
  const adze_component qat = component("qat", 0);
  PolicyOptions options{.max_drop = 0.5};
  options.qat_component = Component{&qat, nullptr};
  const PolicyOutcome outcome = world.run(options, component("ptq", 2));
  EXPECT_THAT(steps_of(outcome.report),
              ElementsAre("ptq: outside", "not quantized: outside", "other calibrators: skipped",
                          "corrections: skipped", "fallback: skipped", "qat: within, taken"));
  EXPECT_THAT(world.tried, ElementsAre("ptq", "qat"));
  EXPECT_THAT(outcome.report.steps[4].reason, HasSubstr("lost before this stage"));
}

TEST(Policy, passes_over_an_option_that_fails_but_not_over_the_first) {
  World world(
      {{"float", 0}, {"ptq", 3}, {"ptq calibrator=minmax", -1}, {"ptq calibrator=mse", 0.2}});
  const PolicyOutcome outcome = world.run({.max_drop = 0.5}, component("ptq", 2));
  EXPECT_THAT(steps_of(outcome.report), ElementsAre("ptq: outside", "not quantized: within",
                                                    "ptq, calibrator = minmax: failed",
                                                    "ptq, calibrator = mse: within, taken"));
  EXPECT_EQ(outcome.report.steps[2].reason, "cannot");
  World broken({{"ptq", -1}});
  EXPECT_THROW(broken.run({.max_drop = 0.5}, component("ptq", 2)), Error);
}

TEST(Policy, without_the_rest_of_auto_goes_straight_to_the_fallback) {
  World world({{"float", 0}, {"ptq", 3}, {"reverted", 0.2}});
  const PolicyOutcome outcome =
      world.run({.max_drop = 0.5, .automatic = false}, component("ptq", 2));
  EXPECT_THAT(steps_of(outcome.report),
              ElementsAre("ptq: outside", "not quantized: within", "fallback: within, taken"));
}

}  // namespace
}  // namespace adze::host
