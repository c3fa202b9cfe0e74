#include "host/plugin/registry.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

#include "host/base/error.hpp"
#include "host/base/file.hpp"
#include "tests/bad_plugins/graphs.hpp"

namespace adze::host {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class RegistryTest : public testing::Test {
 protected:
  void SetUp() override {
    unsetenv("ADZE_PLUGIN_PATH");
    fs::create_directory(first);
    fs::create_directory(second);
  }
  void TearDown() override { unsetenv("ADZE_PLUGIN_PATH"); }

  static void put(const std::string& plugin, const fs::path& to) {
    fs::copy_file(test::test_plugin(plugin), to);
  }
  static std::vector<std::string> ids(const Registry& registry) {
    std::vector<std::string> found;
    for (const Component& component : registry.components())
      if (std::string_view(component.component->id).starts_with("org."))
        found.emplace_back(component.component->id);
    return found;
  }
  static std::string reason(const Registry& registry, const fs::path& path) {
    for (const RejectedPlugin& file : registry.rejected())
      if (file.path.filename() == path.filename()) return file.reason;
    return "";
  }

  TemporaryDirectory folder;
  fs::path first = folder.path() / "first", second = folder.path() / "second";
};

TEST_F(RegistryTest, finds_plugins_of_a_folder_and_rejects_other_libraries_with_a_reason) {
  put("bad_good", first / "good.so");
  put("bad_newer_minor", first / "newer.so");
  write_file(first / "notes.txt", "not looked at");
  const Registry registry({first});
  EXPECT_THAT(ids(registry), testing::ElementsAre("org.example.good"));
  EXPECT_THAT(reason(registry, "newer.so"), HasSubstr("needs ABI 1.7"));
  EXPECT_EQ(reason(registry, "notes.txt"), "");
}

TEST_F(RegistryTest, the_first_of_two_with_the_same_component_wins) {
  put("bad_good", first / "b.so");
  put("bad_good", second / "a.so");
  const Registry registry({first, second});
  EXPECT_EQ(registry.find("org.example.good").plugin->path, fs::canonical(first / "b.so"));
  EXPECT_THAT(reason(registry, "a.so"), HasSubstr("'org.example.good' already comes from"));
}

TEST_F(RegistryTest, the_same_file_reached_twice_is_no_conflict) {
  put("bad_good", first / "good.so");
  const Registry registry({first, first / "good.so"});
  EXPECT_THAT(ids(registry), testing::ElementsAre("org.example.good"));
  EXPECT_EQ(reason(registry, "good.so"), "");
}

TEST_F(RegistryTest, a_folder_that_anyone_may_write_to_is_not_searched) {
  put("bad_good", first / "good.so");
  fs::permissions(first, fs::perms::others_write, fs::perm_options::add);
  const Registry registry({first});
  EXPECT_THAT(ids(registry), testing::IsEmpty());
  EXPECT_THAT(reason(registry, first), HasSubstr("anyone may write"));
}

TEST_F(RegistryTest, the_environment_names_absolute_folders_only) {
  put("bad_good", first / "good.so");
  setenv("ADZE_PLUGIN_PATH", ("relative/folder:" + first.string()).c_str(), 1);
  const Registry registry;
  EXPECT_THAT(ids(registry), testing::ElementsAre("org.example.good"));
  EXPECT_THAT(reason(registry, "relative/folder"), HasSubstr("absolute"));
}

TEST_F(RegistryTest, a_folder_that_does_not_exist_is_the_users_mistake) {
  try {
    const Registry registry({folder.path() / "nowhere"});
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::usage);
    EXPECT_THAT(error.what(), HasSubstr("nowhere"));
  }
}

TEST_F(RegistryTest, an_unknown_id_is_answered_with_the_nearest) {
  put("bad_good", first / "good.so");
  const Registry registry({first});
  try {
    static_cast<void>(registry.find("org.example.gold"));
    FAIL() << "found";
  } catch (const Error& error) {
    EXPECT_EQ(error.code, ADZE_NOT_FOUND);
    EXPECT_THAT(error.what(), HasSubstr("did you mean 'org.example.good'?"));
  }
}

TEST_F(RegistryTest, components_know_their_kind) {
  put("bad_good", first / "good.so");
  const Registry registry({first});
  EXPECT_EQ(registry.find("org.example.good").kind(), ComponentKind::pruner);
  EXPECT_STREQ(kind_name(ComponentKind::quantizer), "quantizer");
}

}  // namespace
}  // namespace adze::host
