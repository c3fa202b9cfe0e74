#include "host/pipeline/recipe.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "host/base/error.hpp"
#include "host/base/file.hpp"

namespace adze::host {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

/// A folder with the files that the recipes below name.
class RecipeFile : public ::testing::Test {
 protected:
  RecipeFile() {
    for (const char* name : {"net.onnx", "test.gz", "labels.gz", "train.gz"})
      write_file(folder_.path() / name, std::string_view("x"));
  }
  Recipe parse(const std::string& text) { return parse_recipe(text, file()); }
  std::filesystem::path file() const { return folder_.path() / "recipe.toml"; }
  std::string error_of(const std::string& text) {
    try {
      parse(text);
    } catch (const Error& error) {
      code_ = error.code;
      return error.what();
    }
    return "no error";
  }
  std::string at(int line, int column) const {
    return file().string() + ":" + std::to_string(line) + ":" + std::to_string(column) + ":";
  }
  TemporaryDirectory folder_;
  adze_status code_ = ADZE_OK;
};

const char* const kModel = "[model]\npath = \"net.onnx\"\n";                   // 2 lines
const char* const kData = "[data]\nsource = \"idx\"\nimages = \"test.gz\"\n";  // 3 lines
const char* const kStage =
    "[[stage]]\nuse = \"adze.prune.magnitude\"\nsparsity = 0.7\n";  // 3 lines

TEST_F(RecipeFile, is_read_with_everything_it_may_hold) {
  const Recipe recipe = parse(std::string("seed = 7\n") + kModel + kData +
                              R"(labels = "labels.gz"
metric = "top5"
[data.preprocess]
scale = 0.5
mean = [1, 2.5]
std = [0.25, 4]
[calibration]
images = "train.gz"
count = 32
seed = 3
[train]
images = "train.gz"
labels = "labels.gz"
count = 64
mirror = true
shift = 2
[target]
board_type = "rzv2h"
trust = ["org.example.pruner"]
[[stage]]
use = "org.example.pruner"
exclude = ["head*"]
pattern = "4:16"
refit = true
levels = [0.5, 1]
names = ["a"]
share = { conv1 = 0.5, conv2 = 1 }
[accept]
max_drop = 1.5
)");
  EXPECT_EQ(recipe.model, folder_.path() / "net.onnx");
  EXPECT_EQ(recipe.data.images, folder_.path() / "test.gz");
  EXPECT_EQ(recipe.data.metric, "top5");
  EXPECT_EQ(recipe.data.preprocess.mean, (std::vector<double>{1, 2.5}));
  ASSERT_TRUE(recipe.calibration);
  EXPECT_EQ(recipe.calibration->count, 32);
  EXPECT_EQ(recipe.calibration->seed, 3u);
  EXPECT_EQ(recipe.calibration->data.source, "idx");
  EXPECT_EQ(recipe.calibration->data.preprocess.scale, 0.5);
  EXPECT_TRUE(recipe.calibration->data.labels.empty());
  ASSERT_TRUE(recipe.train);
  EXPECT_EQ(recipe.train->data.labels, folder_.path() / "labels.gz");
  EXPECT_EQ(recipe.train->data.preprocess.scale, 0.5);
  EXPECT_EQ(recipe.train->count, 64);
  EXPECT_EQ(recipe.train->count_where + ":", at(20, 9));
  EXPECT_TRUE(recipe.train->augmentation.mirror);
  EXPECT_EQ(recipe.train->augmentation.shift, 2);
  EXPECT_EQ(recipe.board_type, "rzv2h");
  EXPECT_EQ(recipe.trust, (std::vector<std::string>{"org.example.pruner"}));
  ASSERT_EQ(recipe.stages.size(), 1u);
  const StageSpec& stage = recipe.stages[0];
  EXPECT_EQ(stage.exclude, (std::vector<std::string>{"head*"}));
  EXPECT_EQ(stage.settings.at("pattern"), Setting(std::string("4:16")));
  EXPECT_EQ(stage.settings.at("refit"), Setting(true));
  EXPECT_EQ(stage.settings.at("levels"), Setting(std::vector<double>{0.5, 1}));
  EXPECT_EQ(stage.settings.at("names"), Setting(std::vector<std::string>{"a"}));
  EXPECT_EQ(stage.settings.at("share"),
            Setting(std::map<std::string, double>{{"conv1", 0.5}, {"conv2", 1}}));
  EXPECT_EQ(stage.places.at("pattern") + ":", at(29, 11));
  EXPECT_EQ(recipe.max_drop, 1.5);
  EXPECT_EQ(recipe.seed, 7u);
}

TEST_F(RecipeFile, calibration_preprocess_replaces_the_inherited_one) {
  const Recipe recipe = parse(std::string(kModel) + kData +
                              "[data.preprocess]\nscale = 0.5\nmean = [1.0]\n"
                              "[calibration]\nimages = \"train.gz\"\n"
                              "[calibration.preprocess]\nscale = 0.25\n" +
                              kStage);
  EXPECT_EQ(recipe.calibration->data.preprocess.scale, 0.25);
  EXPECT_TRUE(recipe.calibration->data.preprocess.mean.empty());
}

TEST_F(RecipeFile, limits_of_workers_are_read_and_have_defaults) {
  const Recipe given = parse(std::string(kModel) + kData + kStage +
                             "[isolation]\ndeadline_s = 1.5\nmemory_mb = 2000\n");
  EXPECT_EQ(given.isolation.deadline_ms, 1500);
  EXPECT_EQ(given.isolation.memory_mb, 2000u);
  const Recipe none = parse(std::string(kModel) + kData + kStage);
  EXPECT_EQ(none.isolation.deadline_ms, 300'000);
  EXPECT_EQ(none.isolation.memory_mb, 0u);
  for (const char* wrong : {"deadline_s = 0", "deadline_s = 1e9", "memory_mb = 0", "memory = 1"})
    EXPECT_THAT(error_of(std::string(kModel) + kData + kStage + "[isolation]\n" + wrong),
                HasSubstr(at(10, 1).substr(0, at(10, 1).size() - 2)))
        << wrong;
}

TEST_F(RecipeFile, seed_defaults_to_that_of_the_calibration) {
  const Recipe recipe = parse(std::string(kModel) + kData +
                              "[calibration]\nimages = \"train.gz\"\nseed = 11\n" + kStage);
  EXPECT_EQ(recipe.seed, 11u);
}

TEST_F(RecipeFile, unknown_key_is_refused_with_place_and_nearest_key) {
  EXPECT_THAT(
      error_of(std::string(kModel) + kData + "lables = \"labels.gz\"\n" + kStage),
      AllOf(HasSubstr(at(6, 1)), HasSubstr("'data.lables'"), HasSubstr("did you mean 'labels'?")));
  EXPECT_EQ(code_, ADZE_INVALID_ARGUMENT);
}

TEST_F(RecipeFile, unknown_table_is_refused_with_place_and_nearest_key) {
  EXPECT_THAT(error_of(std::string(kModel) + kData + kStage + "[acept]\nmax_drop = 1\n"),
              AllOf(HasSubstr(at(9, 2)), HasSubstr("did you mean 'accept'?")));
}

TEST_F(RecipeFile, unknown_key_far_from_all_lists_the_known_ones) {
  EXPECT_THAT(error_of(std::string("zzzzzzzzz = 1\n") + kModel + kData + kStage),
              AllOf(HasSubstr(at(1, 1)), HasSubstr("known are: accept, calibration, data")));
}

TEST_F(RecipeFile, wrong_type_is_refused_with_place) {
  EXPECT_THAT(error_of(std::string(kModel) + kData +
                       "[calibration]\nimages = \"train.gz\"\ncount = \"many\"\n" + kStage),
              AllOf(HasSubstr(at(8, 9)), HasSubstr("'calibration.count' is a text"),
                    HasSubstr("must be an integer")));
  EXPECT_THAT(
      error_of(std::string(kModel) + kData + "[data.preprocess]\nmean = [0.1, \"x\"]\n" + kStage),
      AllOf(HasSubstr(at(7, 14)), HasSubstr("must be an array of numbers")));
  EXPECT_THAT(error_of(std::string("stage = 1\n") + kModel + kData),
              AllOf(HasSubstr(at(1, 9)), HasSubstr("[[stage]]")));
}

TEST_F(RecipeFile, number_out_of_range_is_refused_with_place) {
  EXPECT_THAT(error_of(std::string(kModel) + kData +
                       "[calibration]\nimages = \"train.gz\"\ncount = 0\n" + kStage),
              AllOf(HasSubstr(at(8, 9)), HasSubstr("at least 1")));
  EXPECT_THAT(error_of(std::string(kModel) + kData + "[data.preprocess]\nstd = [0.0]\n" + kStage),
              AllOf(HasSubstr(at(7, 7)), HasSubstr("greater than 0")));
  EXPECT_THAT(error_of(std::string(kModel) + kData + kStage + "[accept]\nmax_drop = -1\n"),
              HasSubstr("must not be negative"));
}

TEST_F(RecipeFile, unknown_choice_lists_the_choices) {
  EXPECT_THAT(
      error_of(std::string(kModel) + "[data]\nsource = \"idx3\"\nimages = \"test.gz\"\n" + kStage),
      AllOf(HasSubstr(at(4, 10)), HasSubstr("idx, npz, npy, images, raw")));
}

TEST_F(RecipeFile, unknown_board_type_is_refused_with_place_and_those_there_are) {
  EXPECT_THAT(error_of(std::string(kModel) + kData + kStage + "[target]\nboard_type = \"rzv2x\"\n"),
              AllOf(HasSubstr("recipe.toml:"), HasSubstr("no board type 'rzv2x' among rzv2h")));
}

TEST_F(RecipeFile, missing_file_is_refused_with_place_and_full_path) {
  EXPECT_THAT(error_of(std::string("[model]\npath = \"gone.onnx\"\n") + kData + kStage),
              AllOf(HasSubstr(at(2, 8)), HasSubstr((folder_.path() / "gone.onnx").string())));
  EXPECT_EQ(code_, ADZE_NOT_FOUND);
  EXPECT_THAT(error_of(std::string(kModel) + kData + "labels = \"gone.gz\"\n" + kStage),
              AllOf(HasSubstr(at(6, 10)), HasSubstr("'data.labels'")));
}

TEST_F(RecipeFile, missing_tables_and_keys_are_named) {
  EXPECT_THAT(error_of(std::string(kData) + kStage), HasSubstr("[model] is missing"));
  EXPECT_THAT(error_of(std::string(kModel) + kStage), HasSubstr("[data] is missing"));
  EXPECT_THAT(error_of(std::string(kModel) + kData), HasSubstr("no [[stage]]"));
  EXPECT_THAT(error_of(std::string(kModel) + "[data]\nimages = \"test.gz\"\n" + kStage),
              AllOf(HasSubstr(at(3, 1)), HasSubstr("'data.source' is missing")));
  EXPECT_THAT(error_of(std::string(kModel) + kData + "[[stage]]\nsparsity = 0.7\n"),
              AllOf(HasSubstr(at(6, 1)), HasSubstr("'stage.use' is missing")));
}

TEST_F(RecipeFile, text_that_is_not_toml_is_refused_with_place) {
  EXPECT_THAT(error_of("[model\npath = 1\n"), AllOf(HasSubstr(":1:"), HasSubstr("not valid TOML")));
  EXPECT_THAT(error_of("[model]\npath = \"a\"\npath = \"b\"\n"), HasSubstr(":3:"));
}

TEST_F(RecipeFile, that_does_not_exist_is_not_found) {
  try {
    parse_recipe(folder_.path() / "gone.toml");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code, ADZE_NOT_FOUND);
  }
}

TEST_F(RecipeFile, data_file_may_be_any_toml_with_a_data_table) {
  write_file(file(), std::string_view("[other]\nanything = 1\n[data]\nsource = \"raw\"\n"
                                      "images = \"test.gz\"\nshape = [1, 4]\ndtype = \"uint8\"\n"));
  const DataSpec data = parse_data_file(file());
  EXPECT_EQ(data.shape, (Shape{1, 4}));
  EXPECT_EQ(data.dtype, "uint8");
  EXPECT_EQ(data.images, folder_.path() / "test.gz");
  write_file(file(), std::string_view("[model]\npath = \"net.onnx\"\n"));
  EXPECT_THROW(parse_data_file(file()), Error);
}

TEST_F(RecipeFile, raw_data_needs_a_shape) {
  EXPECT_THAT(
      error_of(std::string(kModel) + "[data]\nsource = \"raw\"\nimages = \"test.gz\"\n" + kStage),
      HasSubstr("'data.shape' is missing"));
}

}  // namespace
}  // namespace adze::host
