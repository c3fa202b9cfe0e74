// Pruners as a user chains them, and what they refuse.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "host/onnx/model.hpp"
#include "tests/integration/process.hpp"

namespace adze::test {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

class Pruning : public ::testing::Test {
 protected:
  Pruning() : folder_(fs::temp_directory_path() / ("adze-pruning-" + std::to_string(getpid()))) {
    fs::create_directories(folder_);
  }
  ~Pruning() override { fs::remove_all(folder_); }

  static fs::path fixture(const std::string& name) {
    return source_dir() / "fixtures/models" / (name + ".onnx");
  }

  /// Pictures of noise, brighter than `darkest`: what is tested is how stages go together, not how
  /// good they are.
  fs::path noise(const std::string& name, int count, int darkest) {
    std::mt19937 random(5);
    const std::string images = (folder_ / name).string();
    std::ofstream file(images, std::ios::binary);
    file << std::string("\0\0\x08\x03\0\0\0", 7) << static_cast<char>(count)
         << std::string("\0\0\0\x1c\0\0\0\x1c", 8);
    for (int i = 0; i < count * 28 * 28; ++i)
      file.put(static_cast<char>(darkest == 0 ? 0 : darkest + static_cast<int>(random() % 150)));
    return images;
  }
  Outcome optimize(const fs::path& model, const std::string& stages, int darkest = 100) {
    const fs::path recipe = folder_ / "recipe.toml", labels = folder_ / "labels";
    constexpr int kTests = 20, kCalibration = 80;
    std::ofstream(labels, std::ios::binary)
        << std::string("\0\0\x08\x01\0\0\0", 7) << static_cast<char>(kTests)
        << std::string(kTests, '\1');
    std::ofstream(recipe) << "[model]\npath = \"" << model.string()
                          << "\"\n[data]\nsource = \"idx\"\nimages = \""
                          << noise("images", kTests, darkest).string() << "\"\nlabels = \""
                          << labels.string()
                          << "\"\n[data.preprocess]\nscale = 0.00392156862745098\n"
                          << "[calibration]\nimages = \""
                          << noise("calibration", kCalibration, 100).string() << "\"\ncount = 64\n"
                          << stages;
    return adze({"optimize", recipe.string(), "-o", (folder_ / "out").string()},
                std::chrono::seconds(120), {"ADZE_PRUNING_CACHE=" + (folder_ / "cache").string()});
  }
  void expect_refused(const fs::path& model, const std::string& stages,
                      const ::testing::Matcher<const std::string&>& message, int darkest = 100) {
    const Outcome outcome = optimize(model, stages, darkest);
    EXPECT_NE(outcome.exit_code, 0);
    EXPECT_THAT(outcome.err, message);
    EXPECT_FALSE(fs::exists(folder_ / "out/optimized.onnx"));
  }

  fs::path folder_;
};

/// Share of zeros in the weights of 1x1 convolutions.
double zeros_of_pointwise(const host::Graph& graph) {
  double zeros = 0, all = 0;
  for (const host::Node& node : graph.nodes) {
    if (node.op != "Conv") continue;
    const auto& weight = graph.value(node.inputs[1]).constant;
    if (!weight || weight->shape()[1] == 1) continue;
    for (const float element : weight->as<float>()) zeros += element == 0;
    all += static_cast<double>(weight->as<float>().size());
  }
  return zeros / all;
}

std::size_t bytes_of_constants(const host::Graph& graph) {
  std::size_t bytes = 0;
  for (const host::Value& value : graph.values)
    if (value.constant) bytes += value.constant->bytes().size();
  return bytes;
}

TEST_F(Pruning, magnitude_then_channels_then_int8_keeps_zeros_and_is_smaller) {
  const Outcome outcome = optimize(fixture("fmnist_mobilenet"), R"([[stage]]
use = "adze.prune.magnitude"
sparsity = 0.4
[[stage]]
use = "adze.prune.channel"
macs = 0.8
trials = 0
[[stage]]
use = "adze.quantize.ptq"
)");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const host::Graph after = host::load_model(folder_ / "out/optimized.onnx");
  EXPECT_LT(bytes_of_constants(after),
            bytes_of_constants(host::load_model(fixture("fmnist_mobilenet"))));
  // Channels that leave take zeros along, but none of the others comes back.
  EXPECT_GT(zeros_of_pointwise(after), 0.1);
}

TEST_F(Pruning, blocks_stay_blocks_when_layers_are_refined) {
  const Outcome outcome = optimize(fixture("fmnist_mobilenet"), R"([[stage]]
use = "adze.prune.reconstruct"
sparsity = 0.5
pattern = "1x4"
allocation = "uniform"
passes = 100
tuning = false
)");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const host::Graph after = host::load_model(folder_ / "out/optimized.onnx");
  EXPECT_NEAR(zeros_of_pointwise(after), 0.5, 0.02);
  for (const host::Node& node : after.nodes) {
    if (node.op != "Conv") continue;
    const auto& weight = after.value(node.inputs[1]).constant;
    if (!weight || weight->shape()[1] % 4 != 0) continue;
    const auto elements = weight->as<float>();
    std::size_t kept = 0;
    for (std::size_t at = 0; at < elements.size(); at += 4)
      kept += std::ranges::count(elements.subspan(at, 4), 0.0f) < 4;
    EXPECT_LE(kept, elements.size() / 8) << node.name;
  }
}

TEST_F(Pruning, a_pruned_model_is_pruned_further_by_reconstruction) {
  const Outcome outcome = optimize(fixture("fmnist_mobilenet"), R"([[stage]]
use = "adze.prune.magnitude"
sparsity = 0.3
[[stage]]
use = "adze.prune.reconstruct"
sparsity = 0.6
passes = 2
tuning = false
)");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NEAR(zeros_of_pointwise(host::load_model(folder_ / "out/optimized.onnx")), 0.6, 0.01);
}

TEST_F(Pruning, an_activation_that_is_no_number_for_some_calibration_sample_names_its_node) {
  // Black pictures pass; light ones overflow.
  host::Graph graph = host::load_model(fixture("fmnist_mobilenet"));
  for (const host::Node& node : graph.nodes)
    if (node.op == "Conv" && (node.name == "stem.conv" || node.name == "block3.pointwise.conv"))
      for (float& element : graph.values[node.inputs[1]].constant->mutate<float>())
        element *= node.name == "stem.conv" ? 1e30f : 1e9f;
  const fs::path broken = folder_ / "broken.onnx";
  host::save_model(graph, broken);
  expect_refused(broken, "[[stage]]\nuse = \"adze.prune.reconstruct\"\nsparsity = 0.5\n",
                 AllOf(HasSubstr("node '"), HasSubstr("NaN")), 0);
}

TEST_F(Pruning, a_fixed_pattern_cannot_be_shared_out_by_error_or_budget) {
  const std::string stage = "[[stage]]\nuse = \"adze.prune.reconstruct\"\npattern = \"4:16\"\n";
  expect_refused(fixture("fmnist_mobilenet"), stage + "allocation = \"error\"\n",
                 AllOf(HasSubstr("`allocation` = \"error\""), HasSubstr("\":16\"")));
  expect_refused(fixture("fmnist_mobilenet"), stage + "latency_ms = 1.0\n",
                 AllOf(HasSubstr("`latency_ms`"), HasSubstr("4:16")));
}

}  // namespace
}  // namespace adze::test
