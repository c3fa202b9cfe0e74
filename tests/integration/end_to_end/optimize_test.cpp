// adze optimize on a trained network: keeps accuracy, repeats itself to the byte, and gives a model
// that an independent runtime agrees on.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "host/dataset/dataset.hpp"
#include "host/onnx/model.hpp"
#include "tests/integration/process.hpp"
#include "tests/onnxruntime/ort.hpp"

namespace adze::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string contents(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The recipe run twice, once for all tests of this file.
class Optimize : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = fs::temp_directory_path() / ("adze-optimize-" + std::to_string(getpid()));
    for (const char* name : {"first", "second"}) {
      const Outcome outcome =
          adze({"optimize", recipe(), "-o", (folder_ / name).string()}, std::chrono::seconds(280));
      ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    }
    metrics_ = json::parse(contents(folder_ / "first/metrics.json"));
  }
  static void TearDownTestSuite() { fs::remove_all(folder_); }
  static std::string recipe() {
    return (source_dir() / "fixtures/recipes/fmnist_resnet10.toml").string();
  }

  static inline fs::path folder_;
  static inline json metrics_;
};

TEST_F(Optimize, prunes_seventy_percent_and_loses_at_most_one_and_a_half_points) {
  EXPECT_GE(metrics_.at("sparsity").get<double>(), 0.70);
  const double before = metrics_.at("baseline").at("value"),
               after = metrics_.at("optimized").at("value");
  EXPECT_GE(before, 0.92);
  EXPECT_GE(after, before - 0.015);
}

TEST_F(Optimize, repeats_itself_to_the_byte) {
  for (const char* name : {"optimized.onnx", "edits.json", "metrics.json"}) {
    const std::string first = contents(folder_ / "first" / name);
    EXPECT_FALSE(first.empty()) << name;
    EXPECT_EQ(first, contents(folder_ / "second" / name)) << name;
  }
}

TEST_F(Optimize, onnx_runtime_gives_the_same_top1) {
  const auto library = testing::ort_library();
  ASSERT_TRUE(library) << "set ADZE_ONNXRUNTIME to libonnxruntime.so.1 (ci/onnxruntime.sh)";
  const fs::path model = folder_ / "first/optimized.onnx";
  const Outcome outcome =
      adze({"evaluate", model.string(), "--data", recipe(), "--backend", "drpai", "--json"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const double ours = json::parse(outcome.out).at("value");

  host::DataSpec spec{.source = "idx",
                      .images = "/usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz",
                      .labels = "/usr/share/datasets/fashion-mnist/t10k-labels-idx1-ubyte.gz"};
  spec.preprocess.scale = 1.0 / 255;
  spec.preprocess.mean = {0.2860};
  spec.preprocess.std = {0.3530};
  const host::InputSpec input{"image", host::DType::f32, {1, 1, 28, 28}};
  const auto dataset = host::open_dataset(spec, std::span(&input, 1));
  testing::OrtSession peer(*library, model, 2);
  std::int64_t right = 0;
  constexpr std::int64_t kBatch = 100;
  for (std::int64_t first = 0; first < dataset->size(); first += kBatch) {
    std::vector<std::int64_t> indices(kBatch);
    std::iota(indices.begin(), indices.end(), first);
    const auto pixels = dataset->batch(indices)[0];
    const testing::OrtSession::Tensor images{
        {kBatch, 1, 28, 28}, {pixels.as<float>().begin(), pixels.as<float>().end()}};
    const std::vector<float> logits = peer.run(std::span(&images, 1))[0].elements;
    for (std::int64_t i = 0; i < kBatch; ++i) {
      const auto row = std::span(logits).subspan(static_cast<std::size_t>(i) * 10, 10);
      right += std::ranges::max_element(row) - row.begin() == dataset->label(first + i);
    }
  }
  const double theirs = static_cast<double>(right) / static_cast<double>(dataset->size());
  RecordProperty("top1_ours", std::to_string(ours));
  RecordProperty("top1_onnxruntime", std::to_string(theirs));
  EXPECT_NEAR(ours, theirs, 0.001);
}

TEST_F(Optimize, writes_a_report_with_the_figures) {
  const std::string html = contents(folder_ / "first/report.html");
  EXPECT_THAT(html, ::testing::HasSubstr("Predicted time per layer"));
  EXPECT_THAT(html, ::testing::HasSubstr("adze.prune.reconstruct"));
}

}  // namespace
}  // namespace adze::test
