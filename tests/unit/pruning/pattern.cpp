#include "plugins/pruning/pattern.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <adze/adze.hpp>

namespace pruning {
namespace {

using ::testing::HasSubstr;

std::string error_of(double sparsity, std::string_view pattern) {
  try {
    parse_goal(sparsity, pattern);
  } catch (const adze::Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Goal, is_unstructured_70_percent_by_default) {
  const Goal goal = parse_goal(kNotSaid, "");
  EXPECT_EQ(goal.sparsity, 0.7);
  EXPECT_EQ(goal.group, 0);
}

TEST(Goal, of_fixed_n_follows_from_the_pattern) {
  const Goal goal = parse_goal(kNotSaid, "4:16");
  EXPECT_EQ(goal.kept, 4);
  EXPECT_EQ(goal.group, 16);
  EXPECT_EQ(goal.sparsity, 0.75);
}

TEST(Goal, of_free_n_keeps_the_most_that_reaches_the_sparsity) {
  EXPECT_EQ(parse_goal(0.75, ":16").kept, 4);
  EXPECT_EQ(parse_goal(0.7, ":16").kept, 4);
  EXPECT_EQ(parse_goal(0.9, ":10").kept, 1);
  EXPECT_EQ(parse_goal(kNotSaid, ":4").kept, 1);
}

TEST(Goal, of_blocks_takes_the_sparsity) {
  EXPECT_EQ(parse_goal(0.8, "1x4").block_inputs, 4);
  EXPECT_EQ(parse_goal(0.8, "1x4").block_outputs, 1);
  EXPECT_EQ(parse_goal(0.8, "8x1").block_outputs, 8);
  EXPECT_EQ(parse_goal(0.8, "8x1").sparsity, 0.8);
  for (const char* text : {"1x1", "4x4", "1x", "x4", "1x1000", "0x4"})
    EXPECT_NE(error_of(0.8, text), "no error") << text;
}

TEST(Goal, refuses_a_sparsity_beside_a_fixed_n) {
  EXPECT_THAT(error_of(0.7, "4:16"), HasSubstr("already fixes the sparsity"));
}

TEST(Goal, refuses_sparsity_outside_0_to_below_1) {
  EXPECT_THAT(error_of(1, ""), HasSubstr("below 1"));
  EXPECT_THAT(error_of(-0.5, ""), HasSubstr("below 1"));
}

TEST(Goal, refuses_text_that_is_no_pattern) {
  for (const char* text : {"4", "a:b", "4:16x", ":", "4:", "4:16:2", " 4:16"})
    EXPECT_THAT(error_of(kNotSaid, text), HasSubstr("N:M")) << text;
  EXPECT_THAT(error_of(kNotSaid, "4:17"), HasSubstr("2 to 16"));
  EXPECT_THAT(error_of(kNotSaid, "1:1"), HasSubstr("2 to 16"));
  EXPECT_THAT(error_of(kNotSaid, "0:4"), HasSubstr("1..M"));
  EXPECT_THAT(error_of(kNotSaid, "-1:4"), HasSubstr("1..M"));
  EXPECT_THAT(error_of(kNotSaid, "5:4"), HasSubstr("1..M"));
  EXPECT_THAT(error_of(0.95, ":16"), HasSubstr("leaves nothing"));
}

}  // namespace
}  // namespace pruning
