// Third-party pruners that use the host's services, run as a user runs them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <regex>

#include "host/dataset/dataset.hpp"
#include "host/onnx/model.hpp"
#include "tests/integration/process.hpp"
#include "tests/onnxruntime/ort.hpp"

namespace adze::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::HasSubstr;

constexpr const char* kImages = "/usr/share/datasets/fashion-mnist/";

std::string contents(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class Extensions : public ::testing::Test {
 protected:
  Extensions() { fs::create_directories(folder_); }
  ~Extensions() override { fs::remove_all(folder_); }

  /// `tables`: [calibration] and [train]; `stage`: the keys of the one stage. `trust`: the id of
  /// what runs in the host's process; "": all in workers.
  Outcome optimize(const std::string& tables, const std::string& id, const std::string& stage) {
    return optimize(tables, id, stage, id);
  }
  Outcome optimize(const std::string& tables, const std::string& id, const std::string& stage,
                   const std::string& trust) {
    std::ofstream(folder_ / "recipe.toml")
        << "[model]\npath = \"" << (source_dir() / "fixtures/models/fmnist_resnet10.onnx").string()
        << "\"\n[data]\nsource = \"idx\"\nimages = \"" << kImages
        << "t10k-images-idx3-ubyte.gz\"\nlabels = \"" << kImages
        << "t10k-labels-idx1-ubyte.gz\"\n[data.preprocess]\nscale = 0.00392156862745098\n"
           "mean = [0.2860]\nstd = [0.3530]\n"
        << tables << "[target]\nboard_type = \"rzv2h\"\ntrust = ["
        << (trust.empty() ? "" : '"' + trust + '"') << "]\n"
        << "[[stage]]\nuse = \"" << id << "\"\n"
        << stage;
    return adze({"--plugin-path", (binary_dir() / "tests/extensions").string(), "optimize",
                 (folder_ / "recipe.toml").string(), "-o", (folder_ / "out").string(), "--samples",
                 "500"});
  }
  static std::string samples(const std::string& table, bool labels, const std::string& more) {
    std::string text = "[" + table + "]\nimages = \"" + kImages + "train-images-idx3-ubyte.gz\"\n";
    if (labels) text += std::string("labels = \"") + kImages + "train-labels-idx1-ubyte.gz\"\n";
    return text + more;
  }
  json metrics() const { return json::parse(contents(folder_ / "out/metrics.json")); }

  fs::path folder_ = fs::temp_directory_path() / ("adze-extensions-" + std::to_string(getpid()));
};

TEST_F(Extensions, channels_leave_and_the_smaller_model_runs_elsewhere) {
  const Outcome outcome = optimize("", "org.example.channel", "share = 0.3\ninclude = [\"*\"]\n");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const json found = metrics();
  const double before = found.at("parameters").at("before"),
               after = found.at("parameters").at("after");
  EXPECT_LT(after, 0.6 * before) << "0.7 * 0.7 of a layer's weights are left";
  EXPECT_GT(after, 0.4 * before);
  EXPECT_LT(found.at("size_bytes").at("after").get<double>(),
            0.6 * found.at("size_bytes").at("before").get<double>());
  EXPECT_LT(found.at("predicted_ms").at("after"), found.at("predicted_ms").at("before"));
  EXPECT_LT(found.at("sparsity").get<double>(), 0.01) << "what is gone is not zero";
  EXPECT_THAT(outcome.err, HasSubstr("% of all weights are zero or gone;"));
  EXPECT_THAT(outcome.out, HasSubstr("without the channels that left"));
  EXPECT_THAT(contents(folder_ / "out/report.html"), HasSubstr("parameters: channels have left"));
  int groups = 0;
  for (const json& edit : json::parse(contents(folder_ / "out/edits.json"))) {
    EXPECT_EQ(edit.at("kind"), "channels");
    EXPECT_THAT(edit.at("target").get<std::string>(), HasSubstr("group "));
    ++groups;
  }
  EXPECT_GE(groups, 5);

  const auto library = testing::ort_library();
  ASSERT_TRUE(library) << "set ADZE_ONNXRUNTIME to libonnxruntime.so.1 (ci/onnxruntime.sh)";
  host::DataSpec spec{.source = "idx",
                      .images = std::string(kImages) + "t10k-images-idx3-ubyte.gz",
                      .labels = std::string(kImages) + "t10k-labels-idx1-ubyte.gz"};
  spec.preprocess.scale = 1.0 / 255;
  spec.preprocess.mean = {0.2860};
  spec.preprocess.std = {0.3530};
  const host::InputSpec input{"image", host::DType::f32, {1, 1, 28, 28}};
  const auto dataset = host::open_dataset(spec, std::span(&input, 1));
  std::vector<std::int64_t> indices(500);
  std::iota(indices.begin(), indices.end(), 0);
  const auto pixels = dataset->batch(indices)[0];
  const testing::OrtSession::Tensor images{{500, 1, 28, 28},
                                           {pixels.as<float>().begin(), pixels.as<float>().end()}};
  testing::OrtSession peer(*library, folder_ / "out/optimized.onnx", 1);
  const std::vector<float> logits = peer.run(std::span(&images, 1))[0].elements;
  int right = 0;
  for (std::int64_t i = 0; i < 500; ++i) {
    const auto row = std::span(logits).subspan(static_cast<std::size_t>(i) * 10, 10);
    right += std::ranges::max_element(row) - row.begin() == dataset->label(i);
  }
  EXPECT_NEAR(right / 500.0, found.at("optimized").at("value").get<double>(), 0.003);
}

TEST_F(Extensions, a_model_without_some_channels_can_be_scored_and_quantized) {
  const Outcome outcome =
      optimize(samples("calibration", true, "count = 64\n"), "org.example.channel",
               "share = 0.05\n[[stage]]\nuse = \"adze.quantize.ptq\"\n");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  std::smatch text;
  ASSERT_TRUE(std::regex_search(outcome.err, text, std::regex("channels left: ([0-9.]+) dB")))
      << outcome.err;
  EXPECT_GT(std::stod(text[1]), 3);
  EXPECT_LT(std::stod(text[1]), 100);
  const json found = metrics();
  EXPECT_EQ(found.at("optimized").at("backend"), "adze.drpai");
  EXPECT_NEAR(found.at("optimized").at("value").get<double>(),
              found.at("steps").at(0).at("value").get<double>(), 0.02);
}

TEST_F(Extensions, a_search_marks_scores_and_rewinds) {
  const Outcome outcome = optimize(samples("calibration", true, "count = 96\nseed = 2\n"),
                                   "org.example.search", "sqnr_db = 12\n");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  std::smatch text;
  ASSERT_TRUE(std::regex_search(
      outcome.err, text, std::regex("sparsity ([0-9.]+), ([0-9.]+) dB, task ([0-9.]+) on 96")))
      << outcome.err;
  EXPECT_GT(std::stod(text[1]), 0.1);
  EXPECT_NEAR(std::stod(text[2]), 12, 4) << "found on 64 samples, scored on 96";
  EXPECT_GT(std::stod(text[3]), 0.8);
  EXPECT_NEAR(metrics().at("optimized").at("value").get<double>(), std::stod(text[3]), 0.12);
  const std::string first = contents(folder_ / "out/optimized.onnx");
  ASSERT_EQ(optimize(samples("calibration", false, "count = 96\nseed = 2\n"), "org.example.search",
                     "sqnr_db = 12\n")
                .exit_code,
            0);
  EXPECT_EQ(contents(folder_ / "out/optimized.onnx"), first) << "labels only add a score";
}

TEST_F(Extensions, a_search_without_labels_goes_on_and_the_refusal_is_shown) {
  const Outcome outcome =
      optimize(samples("calibration", false, "count = 32\n"), "org.example.search", "steps = 2\n");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("no task score"));
  EXPECT_THAT(outcome.err, HasSubstr("give labels in [calibration]"));
}

TEST_F(Extensions, layers_are_pruned_until_the_prediction_fits) {
  const Outcome outcome = optimize("", "org.example.latency", "budget = 0.96\nsparsity = 0.9\n");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const json predicted = metrics().at("predicted_ms");
  EXPECT_LE(predicted.at("after").get<double>(), 0.965 * predicted.at("before").get<double>());
  const Outcome beyond = optimize("", "org.example.latency", "budget = 0.05\n");
  EXPECT_EQ(beyond.exit_code, 1);
  EXPECT_THAT(beyond.err, HasSubstr("the budget cannot be met"));
}

TEST_F(Extensions, epochs_show_every_training_sample_in_an_order_of_their_own) {
  const Outcome outcome = optimize(samples("calibration", true, "count = 200\n"),
                                   "org.example.dataset", "batch = 48\n");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  std::vector<std::vector<std::string>> epochs;
  const std::regex line("epoch [01]: 200 samples, 200 labels, sum (-?[0-9]+), first (-?[0-9.]+)");
  for (std::sregex_iterator at(outcome.err.begin(), outcome.err.end(), line), end; at != end; ++at)
    epochs.push_back({(*at)[1], (*at)[2]});
  ASSERT_EQ(epochs.size(), 2u) << outcome.err;
  EXPECT_NEAR(std::stod(epochs[0][0]), std::stod(epochs[1][0]), 2) << "the same samples";
  EXPECT_NE(epochs[0][1], epochs[1][1]) << "in another order";
  EXPECT_THAT(outcome.err, HasSubstr("held out: 200 samples"));
}

TEST_F(Extensions, a_train_table_comes_before_calibration) {
  const Outcome outcome =
      optimize(samples("calibration", false, "count = 32\n") + samples("train", true, ""),
               "org.example.dataset", "batch = 4096\n");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  // 60000 images, of which 32 are held out for scores, then a tenth of the rest.
  EXPECT_THAT(outcome.err, HasSubstr("epoch 0: 53972 samples, 53972 labels"));
  EXPECT_THAT(outcome.err, HasSubstr("held out: 5996 samples"));
}

TEST_F(Extensions, give_the_same_model_to_a_worker) {
  const std::string tables = samples("calibration", true, "count = 64\n");
  const std::pair<std::string, std::string> stages[] = {{"org.example.channel", "share = 0.3\n"},
                                                        {"org.example.search", "steps = 3\n"},
                                                        {"org.example.latency", "budget = 0.97\n"},
                                                        {"org.example.dataset", "batch = 48\n"}};
  for (const auto& [id, stage] : stages) {
    std::vector<std::string> models;
    for (const std::string& trust : {id, std::string()}) {
      const Outcome outcome = optimize(tables, id, stage, trust);
      ASSERT_EQ(outcome.exit_code, 0) << id << ": " << outcome.err;
      models.push_back(contents(folder_ / "out/optimized.onnx"));
    }
    EXPECT_EQ(models[0], models[1]) << id;
  }
}

TEST_F(Extensions, a_missing_table_is_named_where_the_stage_is) {
  const Outcome dataset = optimize("", "org.example.dataset", "");
  EXPECT_EQ(dataset.exit_code, 2);
  EXPECT_THAT(dataset.err, HasSubstr("needs 'adze.dataset/1'"));
  EXPECT_THAT(dataset.err, HasSubstr("give a [train] or a [calibration] table"));
  EXPECT_THAT(dataset.err, HasSubstr("recipe.toml:"));
  const Outcome search = optimize("", "org.example.search", "");
  EXPECT_EQ(search.exit_code, 2);
  EXPECT_THAT(search.err, HasSubstr("needs 'adze.evaluate/1'"));
  EXPECT_THAT(search.err, HasSubstr("[calibration]"));
}

TEST_F(Extensions, more_calibration_samples_than_there_are_is_an_error_at_its_place) {
  const Outcome outcome =
      optimize(samples("calibration", false, "count = 60001\n"), "org.example.search", "");
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("recipe.toml:13:"));
  EXPECT_THAT(outcome.err, HasSubstr("'calibration.count' is 60001"));
  EXPECT_THAT(outcome.err, HasSubstr("has only 60000 samples"));
}

}  // namespace
}  // namespace adze::test
