#include "host/base/error.hpp"
#include "host/base/file.hpp"
#include "host/dataset/array_file.hpp"
#include "host/dataset/dataset.hpp"
#include "tests/needs.hpp"
#include "tests/unit/dataset/files.hpp"

namespace adze::host {
namespace {

using test::gzip;
using test::idx;

const InputSpec kImageInput{"x", DType::f32, {1, 1, 28, 28}};

class Idx : public testing::Test {
 protected:
  std::filesystem::path write(const std::string& contents, const std::string& name = "file") {
    write_file(folder_.path() / name, contents);
    return folder_.path() / name;
  }
  // The text of the DATA_LOSS that reading ends in.
  std::string complaint(const std::string& contents) {
    try {
      read_idx(write(contents));
    } catch (const Error& error) {
      EXPECT_EQ(error.code, ADZE_DATA_LOSS);
      EXPECT_THAT(error.what(), testing::HasSubstr((folder_.path() / "file").string()));
      return error.what();
    }
    return "no error";
  }
  TemporaryDirectory folder_;
};

TEST_F(Idx, is_read_plain_and_compressed) {
  const std::string plain = idx(8, {2, 1, 3}, "abcdef");
  for (const std::string& contents : {plain, gzip(plain)}) {
    const Tensor tensor = read_idx(write(contents));
    EXPECT_EQ(tensor.shape(), (Shape{2, 1, 3}));
    EXPECT_EQ(tensor.dtype(), DType::u8);
    EXPECT_EQ(tensor.as<std::uint8_t>()[5], 'f');
  }
}

TEST_F(Idx, elements_are_big_endian) {
  const Tensor tensor = read_idx(write(idx(0x0b, {2}, std::string("\x01\x02\xff\xfe", 4))));
  EXPECT_EQ(tensor.as<std::int16_t>()[0], 0x102);
  EXPECT_EQ(tensor.as<std::int16_t>()[1], -2);
}

TEST_F(Idx, says_what_is_wrong_with_a_header) {
  EXPECT_THAT(complaint(""), testing::HasSubstr("shorter than a header"));
  EXPECT_THAT(complaint("GIF89a.."), testing::HasSubstr("begins with 47 49"));
  EXPECT_THAT(complaint(idx(0x0a, {1}, "a")), testing::HasSubstr("unknown element type 0x0a"));
  EXPECT_THAT(complaint(std::string("\0\0\x08\x02\0\0", 6)),
              testing::HasSubstr("inside the header"));
  EXPECT_THAT(complaint(idx(8, {}, "")), testing::HasSubstr("0 axes"));
}

TEST_F(Idx, does_not_believe_sizes_that_the_file_cannot_hold) {
  EXPECT_THAT(complaint(idx(8, {60000, 28, 28}, "few")),
              testing::HasSubstr("47040000 bytes, more"));
  EXPECT_THAT(complaint(gzip(idx(8, {4000000000u, 28, 28}, "few"))),
              testing::HasSubstr("can hold"));
  EXPECT_THAT(complaint(gzip(idx(8, {20, 28}, "few"))), testing::HasSubstr("but 3 follow"));
  EXPECT_THAT(complaint(idx(8, {~0u, ~0u, ~0u, ~0u}, "few")),
              testing::HasSubstr("claims the shape"));
  EXPECT_THAT(complaint(idx(8, {2}, "abc")), testing::HasSubstr("but more follow"));
}

TEST_F(Idx, notices_compressed_data_that_ends_early_or_is_damaged) {
  std::string elements(50000, '\0');
  for (std::size_t i = 0; i < elements.size(); ++i) elements[i] = static_cast<char>(i * i >> 3);
  const std::string packed = gzip(idx(8, {50000}, elements));
  EXPECT_THAT(complaint(packed.substr(0, packed.size() / 2)), testing::HasSubstr("ends early"));
  EXPECT_THAT(complaint(packed.substr(0, packed.size() - 4)), testing::HasSubstr("ends early"));
  std::string damaged = packed;
  damaged[packed.size() - 6] ^= 1;  // the CRC
  EXPECT_THAT(complaint(damaged), testing::HasSubstr("damaged"));
}

TEST_F(Idx, missing_file_is_not_found) {
  try {
    read_idx(folder_.path() / "none");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code, ADZE_NOT_FOUND);
  }
  EXPECT_THROW(read_idx(folder_.path()), Error);
}

TEST_F(Idx, becomes_normalized_batches) {
  DataSpec spec;
  spec.source = "idx";
  spec.images = write(idx(8, {2, 28, 28}, std::string(784, 51) + std::string(784, '\xff')));
  spec.labels = write(idx(8, {2}, std::string("\x03\x09")), "labels");
  spec.preprocess.scale = 1 / 255.0;
  spec.preprocess.mean = {0.2};
  spec.preprocess.std = {0.5};
  const auto data = open_dataset(spec, std::span(&kImageInput, 1));
  EXPECT_EQ(data->size(), 2);
  EXPECT_EQ(data->label(1), 9);
  const std::vector<std::int64_t> indices{1, 0, 1};
  const Tensor batch = data->batch(indices).at(0);
  EXPECT_EQ(batch.shape(), (Shape{3, 1, 28, 28}));
  EXPECT_FLOAT_EQ(batch.as<float>()[0], 1.6f);
  EXPECT_NEAR(batch.as<float>()[784], 0, 1e-7);
  EXPECT_FLOAT_EQ(batch.as<float>()[3 * 784 - 1], 1.6f);
  const std::vector<std::int64_t> beyond{2};
  EXPECT_THROW(data->batch(beyond), Error);
  EXPECT_THROW(data->label(-1), Error);
}

TEST_F(Idx, without_labels_has_none) {
  DataSpec spec;
  spec.source = "idx";
  spec.images = write(idx(8, {1, 28, 28}, std::string(784, 'x')));
  const auto data = open_dataset(spec, std::span(&kImageInput, 1));
  EXPECT_FALSE(data->has_labels());
  try {
    data->label(0);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code, ADZE_FAILED_PRECONDITION);
  }
}

TEST_F(Idx, labels_of_another_set_are_refused) {
  DataSpec spec;
  spec.source = "idx";
  spec.images = write(idx(8, {1, 28, 28}, std::string(784, 'x')));
  spec.labels = write(idx(8, {2}, "ab"), "labels");
  EXPECT_THROW(open_dataset(spec, std::span(&kImageInput, 1)), Error);
}

TEST(FashionMnist, opens_from_the_files_of_the_distribution) {
  const std::filesystem::path folder = "/usr/share/datasets/fashion-mnist";
  ADZE_NEEDS(std::filesystem::exists(folder), "dataset-fashion-mnist");
  DataSpec spec;
  spec.source = "idx";
  spec.images = folder / "t10k-images-idx3-ubyte.gz";
  spec.labels = folder / "t10k-labels-idx1-ubyte.gz";
  const auto data = open_dataset(spec, std::span(&kImageInput, 1));
  EXPECT_EQ(data->size(), 10000);
  std::vector<int> per_class(10);
  for (std::int64_t i = 0; i < data->size(); ++i)
    ++per_class.at(static_cast<std::size_t>(data->label(i)));
  EXPECT_THAT(per_class, testing::Each(1000));
}

}  // namespace
}  // namespace adze::host
