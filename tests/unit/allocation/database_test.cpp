#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "plugins/reconstruct/allocation_database.hpp"

namespace reconstruct {
namespace {

namespace fs = std::filesystem;

class PruningDatabase : public ::testing::Test {
 protected:
  PruningDatabase()
      : folder_(fs::temp_directory_path() / ("adze-db-" + std::to_string(getpid()))) {}
  ~PruningDatabase() override { fs::remove_all(folder_); }

  static DatabaseLayer layer() {
    return {.weights = 1000, .levels = {{0.5, 1.0 / 3, 500}, {0.9, 0.1234567890123456789, 100}}};
  }
  static std::string contents(const fs::path& file) {
    std::ifstream stream(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }

  fs::path folder_;
  const std::vector<double> levels_ = {0.5, 0.9};
  const std::string key_ = std::string(64, 'a');
};

TEST_F(PruningDatabase, gives_back_every_bit_in_another_run) {
  Database({folder_}, key_).store("/layer1/Conv", layer());
  const Database again({folder_}, key_);
  const std::optional<DatabaseLayer> found = again.find("/layer1/Conv", levels_);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->weights, 1000);
  EXPECT_EQ(found->levels[0].error, 1.0 / 3);
  EXPECT_EQ(found->levels[1].error, 0.1234567890123456789);
  EXPECT_EQ(found->levels[1].kept, 100);
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_))
    EXPECT_EQ(entry.path().extension(), ".json") << entry.path();
}

TEST_F(PruningDatabase, another_key_or_other_levels_are_not_found) {
  Database({folder_}, key_).store("a", layer());
  EXPECT_FALSE(Database({folder_}, std::string(64, 'b')).find("a", levels_));
  const Database same({folder_}, key_);
  EXPECT_FALSE(same.find("b", levels_));
  const std::vector<double> others[] = {{0.8}, {0.5, 0.8}, {0.5, 0.9, 0.95}};
  for (const auto& other : others) EXPECT_FALSE(same.find("a", other));
  EXPECT_EQ(same.missing("a", others[2]), (std::vector<double>{0.95}));
  EXPECT_EQ(same.missing("b", levels_), levels_);
}

TEST_F(PruningDatabase, levels_add_up_and_only_those_asked_for_are_given) {
  Database database({folder_}, key_);
  database.store("a", layer());
  database.store("a", {.weights = 1000, .levels = {{0.7, 0.2, 300}}});
  const std::vector<double> three = {0.5, 0.7, 0.9};
  ASSERT_TRUE(database.find("a", three));
  EXPECT_EQ(database.find("a", three)->levels[1].kept, 300);
  EXPECT_EQ(database.find("a", levels_)->levels.size(), 2u);
}

TEST_F(PruningDatabase, a_file_of_the_same_name_and_another_key_is_not_used) {
  Database({folder_}, key_).store("a", layer());
  const std::string other = key_.substr(0, 32) + std::string(32, 'c');
  EXPECT_FALSE(Database({folder_}, other).find("a", levels_));
}

TEST_F(PruningDatabase, keeps_what_one_folder_has_in_the_others_too) {
  Database({folder_ / "first"}, key_).store("a", layer());
  Database both({folder_ / "second", folder_ / "first"}, key_);
  EXPECT_TRUE(both.find("a", levels_));
  both.save();
  EXPECT_TRUE(Database({folder_ / "second"}, key_).find("a", levels_));
  EXPECT_EQ(contents(folder_ / "first" / (key_.substr(0, 32) + ".json")),
            contents(folder_ / "second" / (key_.substr(0, 32) + ".json")));
}

TEST_F(PruningDatabase, a_damaged_file_is_written_anew) {
  Database({folder_}, key_).store("a", layer());
  const fs::path file = folder_ / (key_.substr(0, 32) + ".json");
  const std::string whole = contents(file);
  for (
      const std::string& broken :
      {std::string(), whole.substr(0, whole.size() / 2), std::string("[]"), std::string("{}"),
       std::string(R"({"format": 1, "key": ")") + key_ + R"(", "layers": {"a": {}}})",
       std::string(R"({"format": 1, "key": ")") + key_ +
           R"(", "layers": {"a": {"weights": 1, "levels": [{"sparsity": 2, "error": 0, "kept": 1}]}}})"}) {
    std::ofstream(file, std::ios::binary) << broken;
    Database database({folder_}, key_);
    EXPECT_FALSE(database.find("a", levels_)) << broken;
    database.store("a", layer());
    EXPECT_EQ(database.problem(), "");
    EXPECT_EQ(contents(file), whole);
  }
}

TEST_F(PruningDatabase, a_folder_that_cannot_be_made_is_told_and_does_no_harm) {
  fs::create_directories(folder_);
  std::ofstream(folder_ / "file") << "no folder";
  Database database({folder_ / "file" / "below"}, key_);
  database.store("a", layer());
  EXPECT_THAT(database.problem(), ::testing::HasSubstr("below"));
  EXPECT_TRUE(database.find("a", levels_));
}

TEST_F(PruningDatabase, without_a_folder_nothing_is_kept) {
  Database database({}, key_);
  database.store("a", layer());
  EXPECT_TRUE(database.find("a", levels_));
  EXPECT_EQ(database.problem(), "");
}

TEST_F(PruningDatabase, its_folder_follows_the_environment) {
  ASSERT_EQ(setenv("ADZE_PRUNING_CACHE", folder_.c_str(), 1), 0);
  EXPECT_EQ(Database::default_folder(), folder_);
  ASSERT_EQ(unsetenv("ADZE_PRUNING_CACHE"), 0);
  ASSERT_EQ(setenv("XDG_CACHE_HOME", "/somewhere", 1), 0);
  EXPECT_EQ(Database::default_folder(), "/somewhere/adze/pruning");
  ASSERT_EQ(unsetenv("XDG_CACHE_HOME"), 0);
}

}  // namespace
}  // namespace reconstruct
