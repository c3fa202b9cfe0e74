#include "host/base/file.hpp"

#include <sys/resource.h>

#include <csignal>
#include <fstream>
#include <functional>

#include "host/base/error.hpp"

namespace adze::host {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename());
  return names;
}

adze_status status_of(const std::function<void()>& action) {
  try {
    action();
    return ADZE_OK;
  } catch (const Error& error) {
    return error.code;
  }
}

TEST(File, what_is_written_is_read) {
  const TemporaryDirectory folder;
  const auto path = folder.path() / "deep" / "er" / "file.txt";
  write_file(path, std::string_view("first"));
  write_file(path, std::string_view("second"));
  EXPECT_EQ(read_text_file(path), "second");
  EXPECT_THAT(names_in(path.parent_path()), testing::ElementsAre("file.txt"));
}

TEST(File, missing_file_is_not_found) {
  EXPECT_EQ(status_of([] { read_file("/nowhere/file"); }), ADZE_NOT_FOUND);
}

TEST(File, larger_than_the_limit_is_refused) {
  const TemporaryDirectory folder;
  write_file(folder.path() / "file", std::string_view("12345"));
  EXPECT_EQ(read_file(folder.path() / "file", 5).size(), 5u);
  EXPECT_EQ(status_of([&] { read_file(folder.path() / "file", 4); }), ADZE_OUT_OF_RANGE);
}

TEST(File, failed_write_keeps_the_old_file_and_leaves_nothing_behind) {
  const TemporaryDirectory folder;
  const auto path = folder.path() / "file";
  write_file(path, std::string_view("old"));
  const auto previous = std::signal(SIGXFSZ, SIG_IGN);
  rlimit limit{}, small{};
  getrlimit(RLIMIT_FSIZE, &limit);
  small = limit;
  small.rlim_cur = 4096;
  setrlimit(RLIMIT_FSIZE, &small);
  const std::string large(100'000, 'x');
  const adze_status status = status_of([&] { write_file(path, std::string_view(large)); });
  setrlimit(RLIMIT_FSIZE, &limit);
  std::signal(SIGXFSZ, previous);
  EXPECT_NE(status, ADZE_OK);
  EXPECT_EQ(read_text_file(path), "old");
  EXPECT_THAT(names_in(folder.path()), testing::ElementsAre("file"));
}

TEST(File, folder_in_the_way_is_an_error_and_leaves_nothing_behind) {
  const TemporaryDirectory folder;
  fs::create_directory(folder.path() / "file");
  fs::create_directory(folder.path() / "file" / "inside");
  EXPECT_NE(status_of([&] { write_file(folder.path() / "file", std::string_view("x")); }), ADZE_OK);
  EXPECT_THAT(names_in(folder.path()), testing::ElementsAre("file"));
}

TEST(File, temporary_directory_leaves_with_its_contents) {
  fs::path path;
  {
    const TemporaryDirectory folder;
    path = folder.path();
    write_file(path / "a" / "b", std::string_view("x"));
    EXPECT_TRUE(fs::exists(path));
  }
  EXPECT_FALSE(fs::exists(path));
}

}  // namespace
}  // namespace adze::host
