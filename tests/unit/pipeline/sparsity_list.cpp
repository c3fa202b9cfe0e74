#include "host/pipeline/sparsity_list.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "host/base/error.hpp"

namespace adze::host {
namespace {

using ::testing::HasSubstr;

TEST(SparsityList, takes_one_several_and_ranges) {
  const auto parsed = [](const char* text) { return parse_sparsities("--what-if", text); };
  EXPECT_EQ(parsed("sparsity=0.7"), (std::vector<double>{0.7}));
  EXPECT_EQ(parsed("sparsity=0.9,0.5,0.7,0.5"), (std::vector<double>{0.5, 0.7, 0.9}));
  EXPECT_EQ(parsed("sparsity=0.7..0.95"), (std::vector<double>{0.7, 0.75, 0.8, 0.85, 0.9, 0.95}));
  EXPECT_EQ(parsed("sparsity=0.7..0.95:0.1"), (std::vector<double>{0.7, 0.8, 0.9, 0.95}));
  EXPECT_EQ(parsed("sparsity=0,0.7..0.9:0.1"), (std::vector<double>{0, 0.7, 0.8, 0.9}));
  EXPECT_EQ(parsed("sparsity=0.7..0.7"), (std::vector<double>{0.7}));
}

TEST(SparsityList, each_wrong_spelling_says_what_and_how) {
  const std::pair<const char*, const char*> wrong[] = {
      {"0.7", "does not begin"},
      {"", "does not begin"},
      {"sparsty=0.7", "did you mean 'sparsity'"},
      {"sparsity=", "missing"},
      {"sparsity=0.5,,0.7", "missing"},
      {"sparsity=0.7..", "missing"},
      {"sparsity=seventy", "'seventy' is no number"},
      {"sparsity=nan", "no number"},
      {"sparsity=0.7x", "no number"},
      {"sparsity=70", "70 % is written 0.7"},
      {"sparsity=0,7", "written 0.7"},
      {"sparsity=1", "not from 0 up to but not 1"},
      {"sparsity=-0.1", "not from 0"},
      {"sparsity=0.9..0.7", "ends below"},
      {"sparsity=0.7..0.9:0", "greater than 0"},
      {"sparsity=0.7..0.9:-1", "greater than 0"},
      {"sparsity=0.7:0.1", "a step and no range"},
      {"sparsity=0..0.9:0.00001", "more than 1000"}};
  for (const auto& [text, why] : wrong) try {
      parse_sparsities("--sweep", text);
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code, ADZE_INVALID_ARGUMENT);
      EXPECT_THAT(error.what(), HasSubstr(why)) << text;
      EXPECT_THAT(error.what(), HasSubstr("write --sweep sparsity=0.7")) << text;
    }
}

}  // namespace
}  // namespace adze::host
