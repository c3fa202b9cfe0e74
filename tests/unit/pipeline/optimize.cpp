// Recipes run with the real plugins on the residual network, with few samples to be quick.
#include "host/pipeline/optimize.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "host/base/error.hpp"
#include "host/base/file.hpp"
#include "host/graph/statistics.hpp"
#include "host/onnx/model.hpp"
#include "host/pipeline/artifacts.hpp"

namespace adze::host {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

const Registry& registry() {
  static const Registry found;
  return found;
}

Recipe recipe_with(std::vector<StageSpec> stages) {
  const std::filesystem::path images = "/usr/share/datasets/fashion-mnist";
  Recipe recipe;
  recipe.model = std::filesystem::path(std::getenv("ADZE_SOURCE_DIR")) /
                 "fixtures/models/fmnist_resnet10.onnx";
  recipe.data.source = "idx";
  recipe.data.images = images / "t10k-images-idx3-ubyte.gz";
  recipe.data.labels = images / "t10k-labels-idx1-ubyte.gz";
  recipe.data.preprocess.scale = 1.0 / 255;
  recipe.data.preprocess.mean = {0.2860};
  recipe.data.preprocess.std = {0.3530};
  recipe.calibration = CalibrationSpec{recipe.data, 64, 1};
  recipe.calibration->data.images = images / "train-images-idx3-ubyte.gz";
  recipe.calibration->data.labels.clear();
  recipe.stages = std::move(stages);
  recipe.seed = 1;
  return recipe;
}

StageSpec stage(const std::string& use, Settings settings = {}) {
  StageSpec spec;
  spec.use = use;
  spec.settings = std::move(settings);
  return spec;
}

StageSpec magnitude(Settings settings) {
  return stage("adze.prune.magnitude", std::move(settings));
}

OptimizeResult run(const Recipe& recipe) {
  return optimize(recipe, registry(), {.threads = 2, .batch = 50, .samples = 500, .progress = {}});
}

std::string error_of(const Recipe& recipe) {
  try {
    run(recipe);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Optimize, writes_the_same_bytes_for_the_same_recipe_and_seed) {
  const Recipe recipe = recipe_with({magnitude({{"sparsity", 0.71}}), stage("adze.quantize.ptq")});
  const TemporaryDirectory folder;
  for (const char* name : {"first", "second"}) write_artifacts(run(recipe), folder.path() / name);
  for (const char* name : {"optimized.onnx", "metrics.json", "edits.json"})
    EXPECT_EQ(read_file(folder.path() / "first" / name), read_file(folder.path() / "second" / name))
        << name;
}

TEST(Optimize, auto_stops_at_ptq_where_it_holds_and_says_what_it_used) {
  Recipe recipe = recipe_with({stage("auto", {{"bits", std::int64_t{8}}})});
  recipe.max_drop = 5;
  const OptimizeResult result = run(recipe);
  ASSERT_TRUE(result.stages[0].policy.has_value());
  const PolicyReport& policy = *result.stages[0].policy;
  ASSERT_EQ(policy.steps.size(), 1u);
  EXPECT_EQ(policy.steps[0].outcome, "within");
  EXPECT_EQ(policy.measure, "disagreement");
  EXPECT_EQ(policy.source, "calibration");
  // A build with LibTorch shows it a second time: training would have taken it, too.
  ASSERT_FALSE(result.stages[0].options.empty());
  for (const GivenOption& option : result.stages[0].options)
    EXPECT_EQ(option.applied, option.by == "adze.quantize.ptq") << option.by;
  ASSERT_TRUE(result.quantization.has_value());
  EXPECT_EQ(result.quantization->int8_mac_share, 1.0);
  EXPECT_THAT(result.warnings, ::testing::Contains(HasSubstr("64 are few")));
}

TEST(Optimize, keeps_the_scales_of_a_model_that_comes_quantized) {
  const OptimizeResult made = run(recipe_with({stage("adze.quantize.ptq")}));
  const TemporaryDirectory folder;
  const std::filesystem::path whole = folder.path() / "whole.onnx",
                              part = folder.path() / "part.onnx";
  write_file(whole, std::span<const std::byte>(made.onnx));
  Recipe recipe = recipe_with({stage("adze.quantize.ptq")});
  recipe.model = whole;
  EXPECT_THAT(error_of(recipe), HasSubstr("quantized already"));

  Graph graph = load_model(whole);
  const std::vector<QuantizerGroup> groups = quantizer_groups(graph);
  write_file(
      part, std::span<const std::byte>(serialize_model(without_grids(graph, groups.at(2), graph))));
  recipe.model = part;
  const OptimizeResult filled = run(recipe);
  EXPECT_THAT(filled.warnings, ::testing::Contains(HasSubstr("came quantized")));
  EXPECT_EQ(filled.quantization->int8_mac_share, 1.0);
  const Graph before = load_model(part);
  for (const Value& value : before.values)
    if (value.quant) {
      const std::uint32_t found = filled.graph.find_value(value.name);
      if (found != kNone) {
        EXPECT_EQ(filled.graph.value(found).quant, value.quant) << value.name;
      }
    }

  // What is filled in fits to numbers as they come out of the given grids: here, of far smaller
  // ones.
  graph = load_model(part);
  Quant& of_input = *graph.values[graph.inputs.at(0)].quant;
  of_input.scale[0] *= 0.05F;
  write_file(part, std::span<const std::byte>(serialize_model(graph)));
  const OptimizeResult clipped = run(recipe);
  const Graph known = load_model(part);
  int narrower = 0, all = 0;
  for (const Value& value : filled.graph.values) {
    const std::uint32_t was = known.find_value(value.name);
    if (!value.quant || value.constant || was == kNone || known.value(was).quant) continue;
    const Value& now = clipped.graph.value(clipped.graph.find_value(value.name));
    ++all;
    narrower += now.quant->scale[0] < 0.8F * value.quant->scale[0];
  }
  EXPECT_GT(all, 0);
  EXPECT_EQ(narrower, all);
}

TEST(Optimize, prunes_quantizes_and_says_what_came_of_it) {
  Recipe recipe = recipe_with({magnitude({{"sparsity", 0.71}}), stage("adze.quantize.ptq")});
  recipe.max_drop = 3;
  recipe.calibration->count = 200;  // as many as ten classes ask for
  const OptimizeResult result = run(recipe);
  EXPECT_GT(result.baseline.value, 0.9);
  EXPECT_EQ(result.baseline.backend, "adze.cpu");
  EXPECT_GT(result.optimized.value, 0.88);
  EXPECT_EQ(result.optimized.backend, "adze.drpai");
  EXPECT_NEAR(result.drop, (result.baseline.value - result.optimized.value) * 100, 1e-5);
  EXPECT_EQ(result.passed, result.drop <= 3);
  ASSERT_EQ(result.stages.size(), 2u);
  EXPECT_EQ(result.stages[0].measured.backend, "adze.cpu");
  EXPECT_NEAR(result.stages[0].target_sparsity, 0.71, 1e-4);
  EXPECT_GE(result.sparsity, 0.7);
  EXPECT_TRUE(result.warnings.empty());
  EXPECT_LT(result.after_ms, result.before_ms);

  // The file holds what was measured, and quantization keeps every pruned weight at zero.
  const Graph written = parse_model(result.onnx, {});
  EXPECT_EQ(zeros_of(written).weights, zeros_of(result.graph).weights);
  EXPECT_GE(zeros_of(written).zeros, zeros_of(result.graph).zeros);

  const nlohmann::json metrics = metrics_json(result);
  EXPECT_EQ(metrics.at("sparsity"), result.sparsity);
  EXPECT_EQ(metrics.at("size_bytes").at("after"), result.onnx.size());
  EXPECT_EQ(metrics.at("sparsity_by_layer").size(), 12u + 1u);
  for (const auto& edit : edits_json(result))
    EXPECT_EQ(edit.at("sha256").get<std::string>().size(), 64u);
}

TEST(Optimize, n_of_m_holds_in_every_layer_it_may_change) {
  Recipe recipe = recipe_with({magnitude({{"pattern", std::string("4:16")}})});
  const Graph graph = run(recipe).graph;
  int checked = 0;
  for (const Node& node : graph.nodes) {
    const std::uint32_t index = weight_of(graph, node);
    if (index == kNone || graph.value(index).keep.empty()) continue;
    const Value& value = graph.value(index);
    EXPECT_EQ(value.pattern, "4:16");
    const Shape& shape = value.constant->shape();
    const auto weights = value.constant->as<float>();
    const std::int64_t positions = shape[2] * shape[3];
    for (std::int64_t output = 0; output < shape[0]; ++output)
      for (std::int64_t position = 0; position < positions; ++position)
        for (std::int64_t first = 0; first < shape[1]; first += 16) {
          int kept = 0;
          for (std::int64_t channel = first; channel < first + 16; ++channel)
            kept += weights[static_cast<std::size_t>((output * shape[1] + channel) * positions +
                                                     position)] != 0;
          ASSERT_LE(kept, 4) << node.name;
        }
    ++checked;
  }
  EXPECT_EQ(checked, 11);
}

TEST(Optimize, refit_keeps_accuracy_that_magnitude_alone_loses) {
  const OptimizeResult alone =
      run(recipe_with({magnitude({{"refit", false}, {"score", std::string("magnitude")}})}));
  const OptimizeResult fitted = run(recipe_with({magnitude({})}));
  EXPECT_GT(alone.drop, 10);
  EXPECT_LT(fitted.drop, 3);
  EXPECT_NEAR(alone.sparsity, fitted.sparsity, 1e-4);
}

TEST(Optimize, magnitude_alone_needs_no_calibration_and_the_refit_says_that_it_does) {
  Recipe recipe = recipe_with({magnitude({{"refit", false}, {"score", std::string("magnitude")}})});
  recipe.calibration.reset();
  EXPECT_EQ(error_of(recipe), "no error");
  recipe.stages = {magnitude({})};
  EXPECT_THAT(error_of(recipe), HasSubstr("adze.calibration/1"));
}

TEST(Optimize, warns_with_figures_below_70_percent) {
  const OptimizeResult result = run(recipe_with({magnitude({{"sparsity", 0.3}})}));
  ASSERT_EQ(result.warnings.size(), 1u);
  EXPECT_THAT(result.warnings[0], AllOf(HasSubstr("(30.0 % in the layers it may change)"),
                                        HasSubstr("below 70 %"), HasSubstr("can touch")));
}

TEST(Optimize, says_when_the_drop_is_larger_than_allowed) {
  Recipe recipe = recipe_with({magnitude({{"sparsity", 0.9}, {"refit", false}})});
  recipe.max_drop = 1;
  const OptimizeResult result = run(recipe);
  EXPECT_FALSE(result.passed);
  EXPECT_EQ(metrics_json(result).at("accept").at("passed"), false);
}

TEST(Optimize, places_errors_of_stages_in_the_recipe) {
  StageSpec spec = magnitude({{"sparsity", 0.7}, {"refitt", true}});
  spec.where = "r.toml:1:1";
  spec.places = {{"sparsity", "r.toml:3:12"}, {"refitt", "r.toml:4:10"}};
  EXPECT_THAT(error_of(recipe_with({spec})), AllOf(HasSubstr("r.toml:4:10"), HasSubstr("refit")));
  spec.settings = {{"sparsity", 1.7}, {"refit", true}};
  EXPECT_THAT(error_of(recipe_with({spec})), HasSubstr("r.toml:3:12"));
  spec = stage("adze.cpu");
  spec.where = "r.toml:1:1";
  EXPECT_THAT(error_of(recipe_with({spec})),
              AllOf(HasSubstr("r.toml:1:1"), HasSubstr("is a backend")));
  EXPECT_THAT(error_of(recipe_with({stage("adze.prune.magnitud")})),
              HasSubstr("adze.prune.magnitude"));
}

TEST(Optimize, refuses_a_pattern_that_a_layer_cannot_hold_naming_the_node) {
  Recipe recipe = recipe_with({magnitude({{"pattern", std::string("4:16")}})});
  recipe.stages[0].include = {"*conv*"};  // also the first, which has one input channel
  EXPECT_THAT(error_of(recipe),
              AllOf(HasSubstr("node '"), HasSubstr("input channels, fewer than")));
}

TEST(Optimize, stops_when_asked_to) {
  const Recipe recipe = recipe_with({magnitude({})});
  const OptimizeOptions options = {
      .threads = 2,
      .batch = 50,
      .samples = 500,
      .progress = [](const std::string& step, double fraction, const std::string&) {
        return step == "adze.prune.magnitude" && fraction > 0.2;
      }};
  try {
    optimize(recipe, registry(), options);
    FAIL() << "not stopped";
  } catch (const Error& error) {
    EXPECT_EQ(error.code, ADZE_CANCELLED);
  }
}

TEST(Artifacts, leave_nothing_else_and_replace_what_was_there) {
  OptimizeResult result;
  result.onnx = {std::byte{1}, std::byte{2}};
  const TemporaryDirectory folder;
  for (int round = 0; round < 2; ++round)
    write_artifacts(result, folder.path() / "out", {{"report.html", "<p>"}});
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path() / "out"))
    names.push_back(entry.path().filename());
  EXPECT_THAT(names, ::testing::UnorderedElementsAre("optimized.onnx", "metrics.json", "edits.json",
                                                     "timings.json", "report.html"));
  EXPECT_EQ(read_text_file(folder.path() / "out/report.html"), "<p>");
}

TEST(Artifacts, that_cannot_be_written_are_an_error_and_leave_the_old_ones) {
  OptimizeResult result;
  const TemporaryDirectory folder;
  write_artifacts(result, folder.path(), {{"report.html", "old"}});
  result.seed = 5;
  const std::string before = read_text_file(folder.path() / "metrics.json");
  // A file whose name cannot exist stands for any failure while the set is being written.
  EXPECT_THROW(write_artifacts(result, folder.path(), {{std::string(300, 'x'), "new"}}), Error);
  EXPECT_EQ(read_text_file(folder.path() / "metrics.json"), before);
}

}  // namespace
}  // namespace adze::host
