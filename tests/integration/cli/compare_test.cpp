// adze compare: against ONNX Runtime, layer by layer, and what it says when models do not fit.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "host/onnx/model.hpp"
#include "tests/integration/process.hpp"
#include "tests/needs.hpp"
#include "tests/unit/graph/graph_builder.hpp"

namespace adze::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
namespace fs = std::filesystem;

std::string fixture(const std::string& name) {
  return (source_dir() / "fixtures/models" / (name + ".onnx")).string();
}
std::string recipe() { return (source_dir() / "fixtures/recipes/fmnist_resnet10.toml").string(); }

std::string text_of(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file, std::ios::binary).rdbuf();
  return text.str();
}

class Compare : public testing::Test {
 protected:
  Compare() : folder_(fs::temp_directory_path() / ("adze-compare-" + std::to_string(getpid()))) {
    fs::create_directories(folder_);
  }
  ~Compare() override { fs::remove_all(folder_); }

  static Outcome compare(const std::string& a, const std::string& b,
                         std::vector<std::string> more = {},
                         const std::vector<std::string>& environment = {}) {
    more.insert(more.begin(), {"-q", "compare", a, b, "--data", recipe(), "--samples", "4"});
    return adze(more, std::chrono::seconds(120), environment);
  }

  fs::path folder_;
};

TEST_F(Compare, a_model_with_itself_parts_nowhere) {
  const std::string model = fixture("fmnist_resnet10");
  const Outcome outcome =
      compare("cpu:" + model, "cpu:" + model, {"--layers", "--set-b", "path=plain"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("part nowhere"), HasSubstr("Conv")));
}

TEST_F(Compare, layers_with_onnx_runtime_are_a_table_json_and_a_picture) {
  const char* library = std::getenv("ADZE_ONNXRUNTIME");
  ADZE_NEEDS(library && *library, "ONNX Runtime (ADZE_ONNXRUNTIME, ci/onnxruntime.sh)");
  const std::string model = fixture("fmnist_mobilenet");
  const Outcome outcome = compare("cpu:" + model, "onnxruntime:" + model,
                                  {"--layers", "--layer-max-rel", "1e-4", "-o", folder_.string()});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err << outcome.out;
  EXPECT_THAT(outcome.out, HasSubstr("part nowhere"));
  const auto document = nlohmann::json::parse(text_of(folder_ / "compare.json"));
  EXPECT_EQ(document["verdict"], "PASS");
  EXPECT_GT(document["layers"].size(), 20u);
  EXPECT_TRUE(document["first_parting"].is_null());
  for (const auto& layer : document["layers"]) EXPECT_LT(layer["max_rel"], 1e-4) << layer;
  EXPECT_THAT(text_of(folder_ / "report.html"),
              AllOf(HasSubstr("<svg"), HasSubstr("limit 0.0001")));
}

TEST_F(Compare, says_where_two_models_part_first) {
  std::ifstream file(fixture("fmnist_resnet10"), std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(file)), {});
  // Of the last weights in the file, whichever they are: a few numbers become larger.
  const std::size_t at = bytes.size() * 3 / 4;
  for (std::size_t i = 0; i < 64; ++i)
    bytes[at / 4 * 4 + i] = static_cast<char>(i % 4 == 3 ? 0x40 : 0);
  const fs::path changed = folder_ / "changed.onnx";
  std::ofstream(changed, std::ios::binary) << bytes;
  const Outcome outcome = compare("cpu:" + fixture("fmnist_resnet10"), "cpu:" + changed.string(),
                                  {"--layers", "--layer-max-rel", "1e-4", "-o", folder_.string()});
  EXPECT_EQ(outcome.exit_code, 1) << outcome.err;
  EXPECT_THAT(outcome.out,
              AllOf(HasSubstr("<- parts here"), HasSubstr("part at '"), HasSubstr("FAIL")));
  const auto document = nlohmann::json::parse(text_of(folder_ / "compare.json"));
  bool parted = false;  // all before the first parting one are equal, and it is not
  for (const auto& layer : document["layers"]) {
    parted = parted || layer["name"] == document["first_parting"];
    EXPECT_EQ(layer["within"].get<bool>(), !parted) << layer["name"];
    if (parted) break;
    EXPECT_EQ(layer["max_abs"], 0) << layer["name"];
  }
  EXPECT_TRUE(parted);
  EXPECT_THAT(text_of(folder_ / "report.html"), HasSubstr("parts at "));
}

TEST_F(Compare, models_that_do_not_fit_are_both_named) {
  const fs::path other = folder_ / "ten_inputs.onnx";
  host::GraphBuilder builder;
  const auto x = builder.input("input", {1, 10}), y = builder.value("output", {1, 10}, 0);
  builder.node("Relu", {x}, {y});
  builder.graph.outputs = {y};
  builder.graph.relink();
  host::save_model(builder.graph, other);
  const std::string model = fixture("fmnist_resnet10");
  for (const bool layers : {false, true}) {
    const Outcome outcome =
        compare("cpu:" + model, "cpu:" + other.string(),
                layers ? std::vector<std::string>{"--layers"} : std::vector<std::string>{});
    EXPECT_EQ(outcome.exit_code, 2);
    EXPECT_EQ(outcome.out, "");
    EXPECT_THAT(outcome.err, AllOf(HasSubstr(model), HasSubstr(other.string()),
                                   HasSubstr("1x28x28"), HasSubstr("1x10")));
  }
  const Outcome outcome = adze({"-q", "evaluate", model, "--data", recipe(), "--metric",
                                "output_error", "--reference", other.string()});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr(model), HasSubstr(other.string())));
}

TEST_F(Compare, without_a_library_it_says_what_to_set) {
  const std::string model = fixture("fmnist_resnet10");
  const Outcome outcome =
      compare("cpu:" + model, "onnxruntime:" + model, {}, {"ADZE_ONNXRUNTIME="});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("onnxruntime:" + model), HasSubstr("ADZE_ONNXRUNTIME")));
}

TEST_F(Compare, a_text_is_no_library) {
  const std::string model = fixture("fmnist_resnet10");
  std::ofstream(folder_ / "notes.txt") << "libonnxruntime\n";
  const Outcome outcome = compare("cpu:" + model, "onnxruntime:" + model,
                                  {"--set-b", "library=" + (folder_ / "notes.txt").string()});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("notes.txt"), HasSubstr("as ONNX Runtime")));
}

TEST_F(Compare, the_plugin_keeps_every_rule_when_a_library_is_named) {
  const char* library = std::getenv("ADZE_ONNXRUNTIME");
  ADZE_NEEDS(library && *library, "ONNX Runtime (ADZE_ONNXRUNTIME, ci/onnxruntime.sh)");
  const Outcome outcome =
      adze({"-q", "plugin", "check",
            (binary_dir() / "lib/adze/plugins/adze_onnxruntime.so").string(), "--seconds", "2"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.out;
  EXPECT_THAT(outcome.out, HasSubstr(" 0 failed"));
}

TEST_F(Compare, limits_for_layers_need_layers) {
  const std::string model = fixture("fmnist_resnet10");
  const Outcome outcome = compare("cpu:" + model, "cpu:" + model, {"--layer-max-rel", "1e-3"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("--layers"));
}

}  // namespace
}  // namespace adze::test
