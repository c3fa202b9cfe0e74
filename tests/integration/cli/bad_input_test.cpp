// Wrong input: exit code 2, one message that says what, on what, why, and nothing half-written.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/integration/process.hpp"

namespace adze::test {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

class BadInput : public testing::Test {
 protected:
  BadInput() : folder_(fs::temp_directory_path() / ("adze-cli-" + std::to_string(getpid()))) {
    fs::create_directories(folder_);
  }
  ~BadInput() override { fs::remove_all(folder_); }

  fs::path write(const std::string& name, const std::string& contents) {
    std::ofstream(folder_ / name, std::ios::binary) << contents;
    return folder_ / name;
  }
  static std::string model() {
    return (source_dir() / "fixtures/models/fmnist_resnet10.onnx").string();
  }
  static std::string recipe_text() {
    return "[model]\npath = \"" + model() +
           "\"\n[data]\nsource = \"idx\"\n"
           "images = \"/usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz\"\n"
           "labels = \"/usr/share/datasets/fashion-mnist/t10k-labels-idx1-ubyte.gz\"\n";
  }
  // The command must fail with this exit code and say all of `texts` on stderr, nothing on stdout.
  static void expect_refused(const std::vector<std::string>& arguments, int exit_code,
                             const std::vector<std::string>& texts) {
    const Outcome outcome = adze(arguments);
    EXPECT_EQ(outcome.exit_code, exit_code) << outcome.err;
    EXPECT_EQ(outcome.out, "");
    for (const std::string& text : texts) EXPECT_THAT(outcome.err, HasSubstr(text));
  }

  fs::path folder_;
};

TEST_F(BadInput, no_command_is_usage) { EXPECT_EQ(adze({}).exit_code, 2); }

TEST_F(BadInput, unknown_command_suggests_the_nearest) {
  expect_refused({"optimise", "recipe.toml"}, 2,
                 {"'optimise' is no command of adze", "did you mean 'optimize'"});
  expect_refused({"board", "flsh"}, 2, {"'flsh' is no command of board", "did you mean 'flash'"});
}

TEST_F(BadInput, simulated_board_with_a_typing_error_does_not_start) {
  expect_refused({"board", "sim", "b1", "--type", "rzv2x"}, 2, {"rzv2x", "rzv2h"});
  expect_refused({"board", "sim", "b1", "--set", "pth=plain"}, 2, {"pth", "did you mean 'path'"});
}

TEST_F(BadInput, damaged_bundle_is_named) {
  const auto file = write("cut.adze", std::string(512, 'x'));
  expect_refused({"bundle", "verify", file.string()}, 2, {"cut.adze", "is damaged"});
}

TEST_F(BadInput, bundles_and_keys_that_are_mixed_up_are_named) {
  const std::string key = (folder_ / "a.key").string(), shared = (folder_ / "a.pub").string();
  const Outcome made = adze({"bundle", "keygen", "-o", key});
  ASSERT_EQ(made.exit_code, 0) << made.err;
  std::ifstream file(key);
  std::string secret;
  std::getline(file, secret);
  EXPECT_THAT(made.out + made.err, testing::Not(HasSubstr(secret)));
  expect_refused({"bundle", "keygen", "-o", key}, 2, {key, "exists already"});
  expect_refused({"bundle", "keygen", "-o", shared}, 2, {"public key"});
  expect_refused({"bundle", "make", model()}, 2, {"-o is missing", "-o model.adze"});
  expect_refused({"bundle", "make"}, 2, {"a model (missing)"});
  expect_refused({"bundle", "make", model(), "-o", (folder_ / "m").string()}, 2, {"m.adze"});
  expect_refused({"bundle", "make", model(), "-o", (folder_ / "m.adze").string(), "--key", shared},
                 2, {"this is a public key"});
  expect_refused(
      {"bundle", "make", model(), "-o", (folder_ / "m.adze").string(), "--backend", "onnxruntime"},
      2, {"backend 'adze.onnxruntime' makes no files for a board"});
  EXPECT_FALSE(fs::exists(folder_ / "m.adze"));
  const std::string bundle = write("a.adze", std::string(512, 'x')).string();
  expect_refused({"bundle", "sign", bundle, "--key", "/nowhere/key"}, 2,
                 {"/nowhere/key", "adze bundle keygen"});
  expect_refused({"bundle", "sign", bundle, "--key", key}, 2, {"a.adze", "is damaged"});
  expect_refused({"bundle", "sign", model(), "--key", key}, 2, {"*.adze"});
  expect_refused({"bundle", "verify", bundle, "--trusted", "/nowhere"}, 2, {"nobody is trusted"});
  expect_refused({"bundle", "verify", bundle, "--public-key", key}, 2, {"this is a secret key"});
  expect_refused({"board", "sim", "b1", "--trusted", "/nowhere"}, 2, {"/nowhere", "*.pub"});
}

TEST_F(BadInput, unknown_option_is_usage) {
  const Outcome outcome = adze({"inspect", model(), "--frobnicate"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("--frobnicate"));
}

TEST_F(BadInput, missing_model_is_named) {
  expect_refused({"inspect", "/nowhere/model.onnx"}, 2, {"/nowhere/model.onnx"});
}

TEST_F(BadInput, text_is_no_model) {
  expect_refused({"inspect", write("a.onnx", "this is not a model\n").string()}, 2, {"a.onnx"});
}

TEST_F(BadInput, empty_file_is_no_model) {
  expect_refused({"inspect", write("empty.onnx", "").string()}, 2, {"empty.onnx", "empty"});
}

TEST_F(BadInput, truncated_model_is_refused) {
  std::ifstream file(model(), std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(file)), {});
  ASSERT_GT(bytes.size(), 1000u);
  expect_refused({"inspect", write("cut.onnx", bytes.substr(0, bytes.size() / 2)).string()}, 2,
                 {"cut.onnx"});
}

TEST_F(BadInput, a_folder_is_no_model) {
  expect_refused({"inspect", folder_.string()}, 2, {folder_.string()});
}

TEST_F(BadInput, recipe_with_an_unknown_key_names_place_and_nearest) {
  const auto recipe = write("r.toml", recipe_text() +
                                          "[[stage]]\nuse = \"adze.prune.magnitude\"\n"
                                          "sparsty = 0.7\n");
  expect_refused({"optimize", recipe.string(), "-o", (folder_ / "out").string()}, 2,
                 {"r.toml:9:", "sparsty", "sparsity"});
  EXPECT_FALSE(fs::exists(folder_ / "out/optimized.onnx"));
}

TEST_F(BadInput, recipe_with_a_wrong_type_names_the_place) {
  const auto recipe = write("r.toml", "[model]\npath = 3\n");
  expect_refused({"optimize", recipe.string(), "-o", (folder_ / "out").string()}, 2, {"r.toml:2:"});
}

TEST_F(BadInput, recipe_that_is_not_toml_names_the_place) {
  const auto recipe = write("r.toml", "[model\npath = 'x'\n");
  expect_refused({"optimize", recipe.string(), "-o", (folder_ / "out").string()}, 2, {"r.toml:1:"});
}

TEST_F(BadInput, recipe_with_a_missing_file_names_it) {
  const auto recipe = write("r.toml", "[model]\npath = \"gone.onnx\"\n");
  expect_refused({"optimize", recipe.string(), "-o", (folder_ / "out").string()}, 2, {"gone.onnx"});
}

TEST_F(BadInput, unknown_component_suggests_the_nearest) {
  const auto recipe = write("r.toml", recipe_text() + "[[stage]]\nuse = \"adze.prune.magnitud\"\n");
  expect_refused({"optimize", recipe.string(), "-o", (folder_ / "out").string()}, 2,
                 {"adze.prune.magnitude"});
}

TEST_F(BadInput, sparsity_out_of_range_is_refused) {
  const auto recipe = write("r.toml", recipe_text() +
                                          "[[stage]]\nuse = \"adze.prune.magnitude\"\n"
                                          "sparsity = 1.5\n");
  expect_refused({"optimize", recipe.string(), "-o", (folder_ / "out").string()}, 2, {"sparsity"});
  EXPECT_FALSE(fs::exists(folder_ / "out/optimized.onnx"));
}

TEST_F(BadInput, unknown_board_type_lists_those_there_are) {
  expect_refused({"estimate", model(), "--board-type", "rzv9"}, 2, {"rzv9", "rzv2h"});
}

TEST_F(BadInput, shape_that_is_none_says_how_to_write_it) {
  for (const char* shape : {"image", "=1x3", "image=1x", "image=axb", "image=1x0x3", "image="})
    expect_refused({"estimate", model(), "--shape", shape}, 2, {shape, "image=1x3x224x224"});
}

TEST_F(BadInput, what_if_without_a_share_says_how_to_write_it) {
  expect_refused({"estimate", model(), "--what-if", "sparsity=seventy"}, 2, {"sparsity=0.7"});
}

TEST_F(BadInput, sweep_with_a_wrong_level_or_recipe_says_what_and_writes_nothing) {
  const auto recipe = write("r.toml", recipe_text() + "[[stage]]\nuse = \"adze.quantize.ptq\"\n");
  const std::string out = (folder_ / "out").string();
  expect_refused({"optimize", recipe.string(), "-o", out, "--sweep", "sparsity=0.7,1.5"}, 2,
                 {"--sweep", "1.5", "sparsity=0.5,0.7,0.9"});
  expect_refused({"optimize", recipe.string(), "-o", out, "--sweep", "sparsity=0.7,0.9"}, 2,
                 {"0 stages", "exactly one"});
  EXPECT_FALSE(fs::exists(out));
}

TEST_F(BadInput, inspect_pruning_refuses_levels_and_data_it_cannot_use) {
  expect_refused({"inspect", model(), "--pruning", "--levels", "0.5"}, 2,
                 {"--levels", "sparsity="});
  const auto data = write("d.toml", recipe_text());
  expect_refused({"inspect", model(), "--pruning", "--data", data.string()}, 2,
                 {"d.toml", "[calibration]"});
  EXPECT_EQ(adze({"inspect", model(), "--levels", "sparsity=0.5"}).exit_code, 2);
}

TEST_F(BadInput, a_board_that_is_not_there_is_a_rig_fault) {
  expect_refused({"board", "info", "sim:no-such-board"}, 75, {"no-such-board"});
}

TEST_F(BadInput, a_plugin_that_is_not_elf_is_named_and_left_out) {
  write("bad.so", "not a shared library");
  const Outcome outcome = adze({"--plugin-path", folder_.string(), "plugin", "list"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.err, HasSubstr("bad.so"));
  EXPECT_THAT(outcome.out, HasSubstr("adze.cpu"));
}

TEST_F(BadInput, full_disk_leaves_no_partial_output) {
  const Outcome outcome =
      adze({"optimize", write("r.toml", recipe_text()).string(), "-o", "/dev/full/out"});
  EXPECT_EQ(outcome.exit_code, 2) << outcome.err;
}

}  // namespace
}  // namespace adze::test
