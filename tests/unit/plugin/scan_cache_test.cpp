#include "host/plugin/scan_cache.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "host/base/error.hpp"
#include "host/base/file.hpp"
#include "host/plugin/build_id.hpp"
#include "host/plugin/descriptor_codec.hpp"
#include "tests/bad_plugins/graphs.hpp"

namespace adze::host {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class ScanCacheTest : public testing::Test {
 protected:
  TemporaryDirectory folder;
  ScanCache cache{folder.path() / "cache", "host 1"};
  FileKey key = key_of(test::test_plugin("bad_good"));
  json found = {{"reason", "because"}};
};

TEST_F(ScanCacheTest, gives_what_was_stored_for_the_same_file) {
  EXPECT_FALSE(cache.find(key));
  cache.store(key, found);
  EXPECT_EQ(cache.find(key), found);
}

TEST_F(ScanCacheTest, another_state_of_the_file_or_another_host_is_not_the_same) {
  cache.store(key, found);
  FileKey other = key;
  ++other.mtime_ns;
  EXPECT_FALSE(cache.find(other));
  other = key;
  ++other.size;
  EXPECT_FALSE(cache.find(other));
  other = key;
  other.build_id = "0123";
  EXPECT_FALSE(cache.find(other));
  EXPECT_FALSE(ScanCache(folder.path() / "cache", "host 2").find(key));
}

TEST_F(ScanCacheTest, every_damaged_file_is_forgotten) {
  cache.store(key, found);
  const fs::path file = fs::directory_iterator(folder.path() / "cache")->path();
  const std::vector<std::byte> whole = read_file(file);
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::vector<std::byte> damaged = whole;
    damaged[at] ^= std::byte{1};
    write_file(file, damaged);
    EXPECT_FALSE(cache.find(key)) << at;
  }
  write_file(file, std::span(whole).first(3));
  EXPECT_FALSE(cache.find(key));
  cache.store(key, found);
  EXPECT_EQ(cache.find(key), found);
}

TEST_F(ScanCacheTest, a_folder_that_cannot_be_written_is_no_error) {
  write_file(folder.path() / "file", "no folder");
  const ScanCache nowhere(folder.path() / "file", "host 1");
  nowhere.store(key, found);
  EXPECT_FALSE(nowhere.find(key));
  const ScanCache none("", "host 1");
  none.store(key, found);
  EXPECT_FALSE(none.find(key));
}

TEST_F(ScanCacheTest, many_may_write_at_once) {
  {
    std::vector<std::jthread> writers;
    for (int i = 0; i < 8; ++i)
      writers.emplace_back([&] {
        for (int round = 0; round < 50; ++round) {
          cache.store(key, found);
          const auto read = cache.find(key);
          EXPECT_EQ(read.value_or(found), found);
        }
      });
  }
  EXPECT_EQ(cache.find(key), found);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path() / "cache"), {}), 1)
      << "temporary files are left";
}

TEST(BuildId, is_that_of_the_linker_or_nothing) {
  EXPECT_EQ(build_id_of(test::test_plugin("bad_good")).size(), 40u);
  EXPECT_EQ(build_id_of("/etc/passwd"), "");
  EXPECT_EQ(build_id_of("/no/such/file"), "");
}

TEST(Descriptor, is_the_same_after_a_journey) {
  for (const char* name : {"bad_good", "probe", "toy_backend"}) {
    const json sent = encode_descriptor(*test::loaded(name).plugin);
    const OwnedDescriptor received(sent, unloaded_tables());
    EXPECT_EQ(encode_descriptor(*received.plugin()), sent) << name;
  }
}

TEST(Descriptor, a_document_with_something_missing_or_wrong_is_refused) {
  const json whole = encode_descriptor(*test::loaded("probe").plugin);
  for (const auto& [key, ignored] : whole.items()) {
    json lacking = whole;
    lacking.erase(key);
    EXPECT_THROW(OwnedDescriptor(lacking, unloaded_tables()), Error) << key;
    json wrong = whole;
    wrong[key] = json::array({json::object()});
    EXPECT_THROW(OwnedDescriptor(wrong, unloaded_tables()), Error) << key;
  }
  json bad_id = whole;
  bad_id["components"][0]["id"] = "Not an id";
  EXPECT_THROW(OwnedDescriptor(bad_id, unloaded_tables()), Error);
}

}  // namespace
}  // namespace adze::host
