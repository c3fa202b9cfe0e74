// adze optimize with use = "auto" behind a pruner: stops at quantization after training where that
// does, and goes on to training where it does not. There, what was pruned stays exactly zero.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "host/onnx/model.hpp"
#include "tests/integration/process.hpp"

namespace adze::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;

constexpr double kMaxDrop = 1.5;  // points
constexpr const char* kImages = "/usr/share/datasets/fashion-mnist/";

std::string contents(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// The same words for both models; `quantize`: the second stage.
std::string recipe(const std::string& model, const std::string& quantize) {
  const std::string images = kImages;
  return "[model]\npath = \"" + (source_dir() / "fixtures/models" / model).string() +
         "\"\n[data]\nsource = \"idx\"\nimages = \"" + images +
         "t10k-images-idx3-ubyte.gz\"\nlabels = \"" + images +
         "t10k-labels-idx1-ubyte.gz\"\n[data.preprocess]\nscale = 0.00392156862745098\nmean = "
         "[0.2860]\nstd = [0.3530]\n[calibration]\nimages = \"" +
         images + "train-images-idx3-ubyte.gz\"\ncount = 256\nseed = 1\n[train]\nimages = \"" +
         images + "train-images-idx3-ubyte.gz\"\nlabels = \"" + images +
         "train-labels-idx1-ubyte.gz\"\ncount = 8000\n[[stage]]\nuse = \"adze.prune.magnitude\"\n"
         "sparsity = 0.7\n" +
         quantize;
}

class Policy : public testing::Test {
 protected:
  Policy() : folder_(fs::temp_directory_path() / ("adze-policy-" + std::to_string(getpid()))) {
    fs::create_directories(folder_);
  }
  ~Policy() override { fs::remove_all(folder_); }

  Outcome optimize(const std::string& name, const std::string& text) const {
    const fs::path file = folder_ / (name + ".toml");
    std::ofstream(file) << text;
    return adze({"-v", "--threads", "1", "optimize", file.string(), "-o", (folder_ / name).string(),
                 "--samples", "1000"},
                std::chrono::seconds(600));
  }
  std::string automatic() const {
    return "[[stage]]\nuse = \"auto\"\nsteps = 150\nbatch = 32\nlearning_rate = 0.002\n"
           "[accept]\nmax_drop = " +
           std::to_string(kMaxDrop) + "\n";
  }
  json metrics_of(const std::string& name) const {
    return json::parse(contents(folder_ / name / "metrics.json"));
  }
  std::string report_of(const std::string& name) const {
    return contents(folder_ / name / "report.html");
  }

  fs::path folder_;
};

/// Constants that some node multiplies with, by name.
std::map<std::string, std::vector<float>> weights_of(const fs::path& file) {
  const host::Graph graph = host::load_model(file);
  std::map<std::string, std::vector<float>> found;
  for (const host::Value& value : graph.values)
    if (value.constant && value.shape && value.shape->size() >= 2)
      found.emplace(value.name, host::to_f32(*value.constant));
  return found;
}

TEST_F(Policy, stops_at_quantization_after_training_on_the_easy_model) {
  const Outcome outcome = optimize("easy", recipe("fmnist_resnet10.onnx", automatic()));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const json metrics = metrics_of("easy"), &policy = metrics.at("steps").at(1).at("policy");
  ASSERT_EQ(policy.at("steps").size(), 1u) << policy.at("steps").dump(1);
  EXPECT_EQ(policy.at("steps")[0].at("name"), "ptq");
  EXPECT_EQ(policy.at("steps")[0].at("outcome"), "within");
  EXPECT_TRUE(policy.at("within"));
  EXPECT_TRUE(metrics.at("accept").at("passed"));
  for (const json& option : metrics.at("steps").at(1).at("options"))
    if (option.at("name") == "steps") {
      EXPECT_EQ(option.at("reason"), "QAT was not reached");
    }
  EXPECT_THAT(report_of("easy"), HasSubstr("is taken: its estimated drop is within"));
}

TEST_F(Policy, reaches_training_on_the_hard_model_and_keeps_what_was_pruned_at_zero) {
  const Outcome outcome = optimize("hard", recipe("fmnist_gated.onnx", automatic()));
  ASSERT_LE(outcome.exit_code, 1) << outcome.err;
  const json metrics = metrics_of("hard"), &policy = metrics.at("steps").at(1).at("policy");
  std::map<std::string, json> steps;
  for (const json& step : policy.at("steps")) steps.emplace(step.at("name"), step);
  ASSERT_TRUE(steps.contains("ptq") && steps.contains("qat")) << policy.dump(1);
  EXPECT_EQ(steps.at("ptq").at("outcome"), "outside");
  EXPECT_EQ(policy.at("steps").back().at("name"), "qat");
  EXPECT_TRUE(steps.at("qat").at("chosen"));
  const double rounded = steps.at("ptq").at("estimate").at("drop"),
               trained = steps.at("qat").at("estimate").at("drop");
  EXPECT_GT(rounded, kMaxDrop);
  EXPECT_LT(trained, rounded - 0.5);
  EXPECT_EQ(metrics.at("optimized").at("backend"), "adze.drpai");
  // What is estimated is seen on the evaluation set, too: 1,000 images have an error of 0.5 points.
  EXPECT_NEAR(metrics.at("accept").at("drop").get<double>(), trained, 2.0);
  EXPECT_THAT(report_of("hard"),
              testing::AllOf(HasSubstr("What auto decided"),
                             HasSubstr("more than allowed was lost before this stage")));

  ASSERT_EQ(optimize("pruned", recipe("fmnist_gated.onnx", "")).exit_code, 0);
  const auto before = weights_of(folder_ / "pruned/optimized.onnx"),
             after = weights_of(folder_ / "hard/optimized.onnx");
  std::size_t pruned = 0, kept = 0, moved = 0;
  for (const auto& [name, weights] : before) {
    ASSERT_TRUE(after.contains(name)) << name;
    const std::vector<float>& trained_weights = after.at(name);
    ASSERT_EQ(weights.size(), trained_weights.size()) << name;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      if (weights[i] == 0) {
        ++pruned;
        ASSERT_EQ(trained_weights[i], 0) << name << ", element " << i << ", was pruned";
      } else {
        ++kept;
        moved += trained_weights[i] != weights[i];
      }
    }
  }
  EXPECT_GT(pruned, 20'000u);
  EXPECT_GT(moved, kept / 2);
  // The file says so itself: each pruned weight of its masks is a zero.
  const host::Graph result = host::load_model(folder_ / "hard/optimized.onnx");
  std::size_t masked = 0;
  for (const host::Value& value : result.values) {
    if (value.keep.empty()) continue;
    const std::vector<float> weights = host::to_f32(*value.constant);
    for (std::size_t i = 0; i < weights.size(); ++i)
      if (!value.keep[i]) {
        ++masked;
        ASSERT_EQ(weights[i], 0) << value.name;
      }
  }
  EXPECT_GE(masked, pruned);
}

}  // namespace
}  // namespace adze::test
