#include "host/pipeline/board_type.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "host/base/error.hpp"
#include "host/base/file.hpp"

namespace adze::host {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string error_of(const std::string& name, const std::filesystem::path& folder) {
  try {
    load_facts(name, folder);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(BoardType, is_flattened_to_facts) {
  const TemporaryDirectory folder;
  write_file(folder.path() / "toy.toml", std::string_view(R"(name = "Toy"
[clock]
ai_mhz = 1000
ratio = 0.5
fast = true
[clock.limits]
mhz = [1, 2.5]
[[unit]]
name = "a"
[[unit]]
name = "b"
ops = ["Conv", "Add"]
)"));
  const Facts facts = load_facts("toy", folder.path());
  EXPECT_EQ(facts.at("name"), Target::Fact(std::string("Toy")));
  EXPECT_EQ(facts.at("clock.ai_mhz"), Target::Fact(std::int64_t{1000}));
  EXPECT_EQ(facts.at("clock.ratio"), Target::Fact(0.5));
  EXPECT_EQ(facts.at("clock.fast"), Target::Fact(true));
  EXPECT_EQ(facts.at("clock.limits.mhz"), Target::Fact(std::vector<double>{1, 2.5}));
  EXPECT_EQ(facts.at("unit.1.name"), Target::Fact(std::string("b")));
  EXPECT_EQ(facts.at("unit.1.ops"), Target::Fact(std::vector<std::string>{"Conv", "Add"}));
}

TEST(BoardType, that_is_missing_lists_those_there_are) {
  const TemporaryDirectory folder;
  EXPECT_THAT(error_of("rzv2h", folder.path()), HasSubstr("there is none in"));
  write_file(folder.path() / "rzv2h.toml", std::string_view("a = 1\n"));
  write_file(folder.path() / "rzv2n.toml", std::string_view("a = 1\n"));
  EXPECT_THAT(error_of("rzv2hh", folder.path()),
              AllOf(HasSubstr("rzv2h, rzv2n"), HasSubstr("did you mean 'rzv2h'?")));
  EXPECT_THAT(error_of("../rzv2h", folder.path()), HasSubstr("no board type"));
}

TEST(BoardType, with_a_damaged_file_says_where) {
  const TemporaryDirectory folder;
  write_file(folder.path() / "toy.toml", std::string_view("a = 1\nb = \n"));
  EXPECT_THAT(error_of("toy", folder.path()), HasSubstr("toy.toml:2:"));
  write_file(folder.path() / "toy.toml", std::string_view("a = 1979-05-27\n"));
  EXPECT_THAT(error_of("toy", folder.path()), HasSubstr("toy.toml:1:5: 'a' is a date or time"));
}

TEST(BoardType, every_one_that_is_shipped_can_be_read) {
  const std::vector<std::string> names = board_types();
  EXPECT_THAT(names, ::testing::Contains("rzv2h"));
  for (const std::string& name : names) EXPECT_FALSE(load_facts(name).empty()) << name;
}

}  // namespace
}  // namespace adze::host
