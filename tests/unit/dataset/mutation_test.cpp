// Damaged data files end in an error or in data, never in a crash or a huge allocation.
#include <random>

#include "host/base/error.hpp"
#include "host/base/file.hpp"
#include "host/dataset/array_file.hpp"
#include "host/dataset/dataset.hpp"
#include "tests/unit/dataset/files.hpp"

namespace adze::host {
namespace {

using test::bytes_of;

std::string mutate(std::string contents, std::mt19937_64& random) {
  const auto below = [&](std::size_t limit) { return limit ? random() % limit : 0; };
  for (std::size_t changes = 1 + below(4); changes > 0 && !contents.empty(); --changes) {
    const std::size_t at = below(contents.size());
    switch (below(5)) {
      case 0:
        contents[at] = static_cast<char>(random());
        break;
      case 1:
        contents[at] = static_cast<char>(contents[at] ^ (1 << below(8)));
        break;
      case 2:
        contents.resize(at);
        break;
      case 3:
        contents.insert(at, contents.substr(below(contents.size()), 1 + below(16)));
        break;
      default:
        for (std::size_t i = at; i < std::min(at + 4, contents.size()); ++i) contents[i] = '\xff';
    }
  }
  return contents;
}

class Mutated : public testing::Test {
 protected:
  // Opens `count` damaged variants; both outcomes must occur, or the test says nothing.
  void run(const std::string& source, const std::string& contents, int count) {
    std::mt19937_64 random(20240229);
    DataSpec spec;
    spec.source = source;
    spec.images = folder_.path() / "file";
    spec.shape = {2, 3};
    const InputSpec input{"x", DType::f32, {1, -1, -1}};
    int opened = 0, refused = 0;
    for (int i = 0; i < count; ++i) {
      write_bytes(mutate(contents, random));
      try {
        const auto data = open_dataset(spec, std::span(&input, 1));
        const std::vector<std::int64_t> last{data->size() - 1};
        opened += data->batch(last).size() == 1;
      } catch (const Error& error) {
        EXPECT_THAT(error.what(), testing::HasSubstr(spec.images.string()));
        EXPECT_NE(error.code, ADZE_INTERNAL) << error.what();
        ++refused;
      }
    }
    EXPECT_EQ(opened + refused, count);
    EXPECT_GT(opened, 0);
    EXPECT_GT(refused, 0);
  }

 private:
  void write_bytes(const std::string& contents) {  // without the fsync of write_file
    std::FILE* file = std::fopen((folder_.path() / "file").c_str(), "wb");
    std::fwrite(contents.data(), 1, contents.size(), file);
    std::fclose(file);
  }
  TemporaryDirectory folder_;
};

const std::string kElements = bytes_of<float>({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});

TEST_F(Mutated, idx_files_never_crash) {
  run("idx", test::idx(8, {4, 2, 3}, std::string(24, 'x')), 3000);
}

TEST_F(Mutated, compressed_idx_files_never_crash) {
  run("idx", test::gzip(test::idx(8, {4, 2, 3}, "abcdefghijklmnopqrstuvwx")), 3000);
}

TEST_F(Mutated, npy_files_never_crash) {
  for (const int major : {1, 2}) run("npy", test::npy("<f4", "(2, 2, 3)", kElements, major), 3000);
}

TEST_F(Mutated, npz_files_never_crash) {
  TemporaryDirectory folder;
  test::write_npz(folder.path() / "a.npz", {{"x", test::npy("<f4", "(2, 2, 3)", kElements)}});
  run("npz", read_text_file(folder.path() / "a.npz"), 3000);
}

TEST_F(Mutated, raw_files_never_crash) { run("raw", kElements, 1000); }

}  // namespace
}  // namespace adze::host
