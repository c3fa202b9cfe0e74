#include "host/base/nearest.hpp"

#include <gtest/gtest.h>

namespace adze::host {
namespace {

const std::vector<std::string> kNames = {"sparsity", "pattern", "include", "exclude", "seed"};

TEST(Nearest, finds_the_name_that_was_meant) {
  EXPECT_EQ(nearest("sparsty", kNames), "sparsity");
  EXPECT_EQ(nearest("patern", kNames), "pattern");
  EXPECT_EQ(nearest("seed", kNames), "seed");
}

TEST(Nearest, a_swap_of_neighbours_is_one_edit) {
  const std::vector<std::string> names = {"axyd", "abdc"};
  EXPECT_EQ(nearest("abcd", names), "abdc");
}

TEST(Nearest, stays_silent_when_nothing_is_near) {
  EXPECT_EQ(nearest("calibrator", kNames), "");
  EXPECT_EQ(nearest("x", kNames), "");
  EXPECT_EQ(nearest("sparsity", {}), "");
}

TEST(Nearest, is_a_question_at_the_end_of_a_message) {
  EXPECT_EQ(did_you_mean("exclud", kNames), "; did you mean 'exclude'?");
  EXPECT_EQ(did_you_mean("something else", kNames), "");
}

}  // namespace
}  // namespace adze::host
