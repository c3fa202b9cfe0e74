#include "host/pipeline/sample_sets.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <set>

#include "host/base/error.hpp"
#include "host/base/file.hpp"

namespace adze::host {
namespace {

using testing::HasSubstr;

/// A raw file of `count` samples of one byte each, which holds their number.
DataSpec numbers(const std::filesystem::path& file, int count) {
  std::string bytes(static_cast<std::size_t>(count), '\0');
  std::iota(bytes.begin(), bytes.end(), '\0');
  write_file(file, std::string_view(bytes));
  DataSpec spec{.source = "raw", .images = file, .shape = {1}, .dtype = "uint8"};
  return spec;
}

class SampleSetsTest : public testing::Test {
 protected:
  SampleSets open(int size, std::int64_t count) {
    recipe.calibration =
        CalibrationSpec{numbers(folder.path() / "calibration.raw", size), count, 3};
    return SampleSets(recipe, inputs);
  }
  static std::set<float> samples_of(const Dataset& dataset,
                                    const std::vector<std::int64_t>& indices) {
    std::set<float> found;
    for (const std::int64_t index : indices)
      found.insert(to_f32(dataset.batch(std::span(&index, 1))[0])[0]);
    EXPECT_EQ(found.size(), indices.size());
    return found;
  }
  static std::set<float> all_of(const Dataset& dataset) {
    std::vector<std::int64_t> all(static_cast<std::size_t>(dataset.size()));
    std::iota(all.begin(), all.end(), 0);
    return samples_of(dataset, all);
  }

  const TemporaryDirectory folder;
  const std::vector<InputSpec> inputs = {{"x", DType::f32, {1, 1}}};
  Recipe recipe;
};

TEST_F(SampleSetsTest, as_many_are_held_out_as_are_collected_over_and_none_is_both) {
  const SampleSets sets = open(100, 20);
  EXPECT_EQ(sets.collected(), sample_indices(100, 20, 3));
  std::set<float> both = samples_of(*sets.calibration(), sets.collected());
  both.merge(all_of(*sets.held_out()));
  EXPECT_EQ(both.size(), 40u);
}

TEST_F(SampleSetsTest, a_set_that_is_used_up_gives_a_fifth_to_those_held_out) {
  const SampleSets whole = open(20, 20);
  EXPECT_EQ(whole.collected().size(), 16u);
  EXPECT_EQ(whole.held_out()->size(), 4);
  const SampleSets more = open(20, 15);
  EXPECT_EQ(more.collected().size(), 15u);
  EXPECT_EQ(more.held_out()->size(), 5);
  const SampleSets two = open(2, 2);
  EXPECT_EQ(two.collected().size(), 1u);
  EXPECT_EQ(two.held_out()->size(), 1);
  const SampleSets one = open(1, 512);
  EXPECT_EQ(one.collected().size(), 1u);
  EXPECT_EQ(one.held_out(), nullptr);
}

TEST_F(SampleSetsTest, a_count_that_the_recipe_gave_must_be_there) {
  recipe.calibration = CalibrationSpec{numbers(folder.path() / "c.raw", 20), 21, 3, "r.toml:4:1"};
  try {
    const SampleSets sets(recipe, inputs);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("r.toml:4:1: 'calibration.count' is 21, but"));
    EXPECT_THAT(error.what(), HasSubstr("c.raw' has only 20 samples"));
  }
  recipe.calibration->count_where.clear();
  EXPECT_EQ(SampleSets(recipe, inputs).collected().size(), 16u) << "a default is no promise";
}

TEST_F(SampleSetsTest, training_falls_back_to_calibration) {
  const SampleSets sets = open(100, 20);
  EXPECT_EQ(sets.training(), sets.calibration());
  EXPECT_EQ(sets.training_indices(), sets.collected());
  EXPECT_EQ(samples_of(*sets.training(), sets.training_held_out()), all_of(*sets.held_out()));
  recipe.calibration.reset();
  EXPECT_EQ(SampleSets(recipe, inputs).training(), nullptr);
}

TEST_F(SampleSetsTest, training_never_touches_what_scores_are_made_on) {
  const SampleSets calibration_only = open(100, 20);
  recipe.train = TrainSpec{.data = recipe.calibration->data};
  const SampleSets sets(recipe, inputs);
  std::set<float> trained = samples_of(*sets.training(), sets.training_indices());
  trained.merge(samples_of(*sets.training(), sets.training_held_out()));
  EXPECT_EQ(trained.size(), 80u);
  for (const float sample : all_of(*sets.held_out())) EXPECT_FALSE(trained.contains(sample));
  EXPECT_EQ(sets.training_held_out().size(), 8u);
}

TEST_F(SampleSetsTest, a_count_of_training_samples_holds_for_both_parts_and_must_be_there) {
  open(100, 20);
  recipe.train =
      TrainSpec{.data = recipe.calibration->data, .count = 30, .count_where = "r.toml:9:1"};
  const SampleSets sets(recipe, inputs);
  EXPECT_EQ(sets.training_indices().size(), 27u);
  EXPECT_EQ(sets.training_held_out().size(), 3u);
  recipe.train->count = 81;
  try {
    const SampleSets too_many(recipe, inputs);
    ADD_FAILURE() << "81 of 80 samples";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("r.toml:9:1: 'train.count' is 81, but"));
    EXPECT_THAT(error.what(), HasSubstr("has only 80 samples besides those that [calibration]"));
  }
}

}  // namespace
}  // namespace adze::host
