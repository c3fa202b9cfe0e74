// adze plugin new: what it makes, and what it refuses without leaving anything behind.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "tests/integration/process.hpp"

namespace adze::test {
namespace {

using testing::HasSubstr;
using testing::Not;
namespace fs = std::filesystem;

std::string contents(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {(std::istreambuf_iterator<char>(file)), {}};
}

class PluginNew : public testing::Test {
 protected:
  PluginNew() : folder_(fs::temp_directory_path() / ("adze-new-" + std::to_string(getpid()))) {
    fs::create_directories(folder_);
  }
  ~PluginNew() override { fs::remove_all(folder_); }

  Outcome make(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"plugin", "new"});
    arguments.insert(arguments.end(), {"--dir", (folder_ / "made").string()});
    return adze(arguments);
  }
  void expect_refused(std::vector<std::string> arguments, const std::vector<std::string>& texts) {
    const Outcome outcome = make(std::move(arguments));
    EXPECT_EQ(outcome.exit_code, 2) << outcome.err;
    for (const std::string& text : texts) EXPECT_THAT(outcome.err, HasSubstr(text));
    EXPECT_FALSE(fs::exists(folder_ / "made"));
  }

  fs::path folder_;
};

TEST_F(PluginNew, fills_each_template_of_each_kind_and_language) {
  for (const std::string kind : {"pruner", "quantizer", "backend"})
    for (const std::string language : {"c", "c++", "rust"}) {
      const Outcome outcome = make({kind, "mine", "--lang", language, "--id", "com.me.own",
                                    "--vendor", "Mine & Söhne <@NAME@>"});
      ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
      int files = 0;
      std::string all;
      for (const auto& entry : fs::recursive_directory_iterator(folder_ / "made")) {
        if (!entry.is_regular_file()) continue;
        ++files;
        all += contents(entry.path());
        EXPECT_THAT(contents(entry.path()), Not(HasSubstr("@ID@"))) << entry.path();
      }
      EXPECT_GE(files, 5) << kind << " in " << language;
      EXPECT_THAT(all, HasSubstr("\"com.me.own\""));
      EXPECT_THAT(all, HasSubstr("\"Mine & Söhne <@NAME@>\"")) << "put in as it is";
      EXPECT_TRUE(fs::exists(folder_ / "made/README.md"));
      EXPECT_TRUE(fs::exists(folder_ / "made/.gitignore"));
      EXPECT_THAT(contents(folder_ / "made/README.md"), HasSubstr("# mine\n"));
      fs::remove_all(folder_ / "made");
    }
}

TEST_F(PluginNew, machine_output_lists_the_files) {
  const Outcome outcome = make({"pruner", "mine", "--json"});
  const auto document = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(document["id"], "org.example.mine");
  for (const std::string path : document["files"])
    EXPECT_TRUE(fs::exists(folder_ / "made" / path)) << path;
}

TEST_F(PluginNew, makes_the_same_bytes_each_time) {
  ASSERT_EQ(make({"quantizer", "mine", "--lang", "rust"}).exit_code, 0);
  const std::string first = contents(folder_ / "made/src/lib.rs");
  fs::remove_all(folder_ / "made");
  ASSERT_EQ(make({"quantizer", "mine", "--lang", "rust"}).exit_code, 0);
  EXPECT_EQ(contents(folder_ / "made/src/lib.rs"), first);
}

TEST_F(PluginNew, an_empty_folder_may_be_there) {
  fs::create_directories(folder_ / "made");
  EXPECT_EQ(make({"pruner", "mine"}).exit_code, 0);
}

TEST_F(PluginNew, a_folder_with_something_in_it_is_left_alone) {
  fs::create_directories(folder_ / "made");
  std::ofstream(folder_ / "made/plugin.c") << "mine";
  const Outcome outcome = make({"pruner", "mine"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("no empty folder"));
  EXPECT_EQ(contents(folder_ / "made/plugin.c"), "mine");
  EXPECT_FALSE(fs::exists(folder_ / "made/README.md"));
}

TEST_F(PluginNew, a_file_of_that_name_is_left_alone) {
  std::ofstream(folder_ / "made") << "mine";
  EXPECT_EQ(make({"pruner", "mine"}).exit_code, 2);
  EXPECT_EQ(contents(folder_ / "made"), "mine");
}

TEST_F(PluginNew, an_unknown_kind_lists_those_there_are) {
  expect_refused({"trainer", "mine"}, {"trainer", "backend, pruner, quantizer"});
}

TEST_F(PluginNew, an_unknown_language_lists_those_there_are) {
  expect_refused({"pruner", "mine", "--lang", "zig"}, {"zig", "c, c++, rust"});
  expect_refused({"pruner", "mine", "--lang", "../c"}, {"../c"});
}

TEST_F(PluginNew, refuses_names_that_no_build_takes_and_says_why) {
  const std::map<std::string, std::string> why = {
      {"Mine", "lower case"},    {"my-pruner", "lower case"},
      {"größe", "lower case"},   {"a/b", "lower case"},
      {"9lives", "letter"},      {"_mine", "letter"},
      {"", "it is empty"},       {std::string(200, 'x'), "200 bytes, more than 64"},
      {"test", "a target"},      {"edit_cache", "a target"},
      {"crate", "word of Rust"}, {"fn", "word of Rust"},
      {"self", "word of Rust"},  {"adze", "the SDK's own headers"}};
  for (const auto& [name, text] : why)
    expect_refused({"pruner", name},
                   {"'" + name.substr(0, 60), "cannot be the name of a plugin", text, "my_pruner"});
  expect_refused({"pruner", "mine\n\x1b[2J"}, {"cannot be the name of a plugin"});
  EXPECT_THAT(make({"pruner", "mine\x1b[2J"}).err, Not(HasSubstr("\x1b")));
}

TEST_F(PluginNew, words_of_c_are_names_like_others) {
  for (const std::string name : {"new", "class", "int"}) {
    ASSERT_EQ(make({"pruner", name, "--lang", "c++"}).exit_code, 0) << name;
    fs::remove_all(folder_ / "made");
  }
}

TEST_F(PluginNew, refuses_ids_that_the_host_would_refuse) {
  for (const std::string id : {"mine", "adze.mine", ".mine.x", "org..x", "org.Mine", "org.\"x\""})
    expect_refused({"pruner", "mine", "--id", id}, {id});
}

TEST_F(PluginNew, refuses_vendors_that_end_the_text_they_stand_in) {
  for (const std::string vendor : {"a\"b", "a\\b", "a\nb", "\xff", ""})
    expect_refused({"pruner", "mine", "--vendor", vendor}, {"--vendor"});
}

}  // namespace
}  // namespace adze::test
