#include "host/base/error.hpp"
#include "host/base/file.hpp"
#include "host/dataset/array_file.hpp"
#include "host/dataset/dataset.hpp"
#include "tests/unit/dataset/files.hpp"

namespace adze::host {
namespace {

using test::bytes_of;
using test::npy;
using test::write_npz;

const std::string kSix = bytes_of<float>({1, 2, 3, 4, 5, 6});

Tensor parse(const std::string& contents) {
  return parse_npy(std::as_bytes(std::span(contents)), "a.npy");
}

std::string complaint(const std::string& contents) {
  try {
    parse(contents);
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("'a.npy'"));
    return error.what();
  }
  return "no error";
}

TEST(Npy, is_read_in_every_format_version) {
  for (const int major : {1, 2, 3}) {
    const Tensor tensor = parse(npy("<f4", "(2, 3)", kSix, major));
    EXPECT_EQ(tensor.shape(), (Shape{2, 3}));
    EXPECT_EQ(tensor.as<float>()[5], 6);
  }
}

TEST(Npy, shapes_are_python_tuples) {
  EXPECT_EQ(parse(npy("<f4", "(6,)", kSix)).shape(), (Shape{6}));
  EXPECT_EQ(parse(npy("<f4", "(2L, 3L)", kSix)).shape(), (Shape{2, 3}));
  EXPECT_EQ(parse(npy("<f4", "()", kSix.substr(0, 4))).shape(), Shape{});
}

TEST(Npy, either_byte_order_is_read) {
  const Tensor tensor = parse(npy(">i2", "(2,)", std::string("\x01\x02\xff\xfe", 4)));
  EXPECT_EQ(tensor.as<std::int16_t>()[0], 0x102);
  EXPECT_EQ(tensor.as<std::int16_t>()[1], -2);
}

TEST(Npy, says_what_is_wrong) {
  EXPECT_THAT(complaint("PK"), testing::HasSubstr("magic"));
  EXPECT_THAT(complaint(npy("<f4", "(2, 3)", kSix, 4)), testing::HasSubstr("format 4.0"));
  EXPECT_THAT(complaint(npy("<f4", "(2, 3)", kSix, 1, true)), testing::HasSubstr("Fortran order"));
  EXPECT_THAT(complaint(npy("<c8", "(3,)", kSix)), testing::HasSubstr("'<c8' is not a number"));
  EXPECT_THAT(complaint(npy("|O", "(3,)", kSix)), testing::HasSubstr("'|O' is not a number"));
  EXPECT_THAT(complaint(npy("<f4", "(7,)", kSix)), testing::HasSubstr("28 bytes, but 24 follow"));
  EXPECT_THAT(complaint(npy("<f4", "(9223372036854775807, 2)", kSix)),
              testing::HasSubstr("claims"));
  EXPECT_THAT(complaint(npy("<f4", "(-1,)", kSix)), testing::HasSubstr("not a list of sizes"));
  EXPECT_THAT(complaint(npy("<f4", "(2, 3", kSix)), testing::HasSubstr("not a list of sizes"));
  EXPECT_THAT(complaint(npy("<f4", "(6,)", kSix).substr(0, 20)), testing::HasSubstr("header"));
}

class ArraySource : public testing::Test {
 protected:
  std::unique_ptr<Dataset> open(const std::string& source, const std::string& file,
                                std::vector<InputSpec> inputs) {
    spec_.source = source;
    spec_.images = folder_.path() / file;
    return open_dataset(spec_, inputs);
  }
  TemporaryDirectory folder_;
  DataSpec spec_;
};

TEST_F(ArraySource, feeds_each_input_the_npz_array_of_its_name) {
  write_npz(
      folder_.path() / "a.npz",
      {{"ids", npy("<i8", "(2, 2)", bytes_of<std::int64_t>({1, 2, 3, std::int64_t{1} << 60}))},
       {"labels", npy("<i4", "(2,)", bytes_of<std::int32_t>({7, 8}))},
       {"x", npy("<f4", "(2, 3)", kSix)}});
  const auto data = open("npz", "a.npz", {{"x", DType::f32, {1, 3}}, {"ids", DType::i64, {1, 2}}});
  const std::vector<std::int64_t> second{1};
  const std::vector<Tensor> batch = data->batch(second);
  EXPECT_EQ(batch.at(0).as<float>()[0], 4);
  EXPECT_EQ(batch.at(1).as<std::int64_t>()[1], std::int64_t{1} << 60);
  EXPECT_EQ(data->label(1), 8);
}

TEST_F(ArraySource, lists_what_an_npz_holds_when_an_input_is_missing) {
  write_npz(folder_.path() / "a.npz",
            {{"u", npy("<f4", "(2, 3)", kSix)}, {"v", npy("<f4", "(2, 3)", kSix)}});
  try {
    open("npz", "a.npz", {{"x", DType::f32, {1, 3}}});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code, ADZE_NOT_FOUND);
    EXPECT_THAT(error.what(), testing::HasSubstr("u, v"));
  }
}

TEST_F(ArraySource, refuses_npz_arrays_of_different_length_and_damaged_archives) {
  write_npz(folder_.path() / "a.npz",
            {{"x", npy("<f4", "(2, 3)", kSix)}, {"y", npy("<f4", "(3, 2)", kSix)}});
  EXPECT_THROW(open("npz", "a.npz", {{"x", DType::f32, {1, 3}}, {"y", DType::f32, {1, 2}}}), Error);
  write_file(folder_.path() / "b.npz", "PK no archive");
  EXPECT_THROW(open("npz", "b.npz", {{"x", DType::f32, {1, 3}}}), Error);
}

TEST_F(ArraySource, raw_samples_take_shape_and_type_from_the_recipe) {
  write_file(folder_.path() / "a.bin", kSix);
  spec_.shape = {3};
  const auto data = open("raw", "a.bin", {{"x", DType::f32, {1, 3, 1, 1}}});
  EXPECT_EQ(data->size(), 2);
  const std::vector<std::int64_t> second{1};
  EXPECT_EQ(data->batch(second).at(0).shape(), (Shape{1, 3, 1, 1}));
  spec_.shape = {4};
  EXPECT_THROW(open("raw", "a.bin", {{"x", DType::f32, {1, 4}}}), Error);
  spec_.shape = {};
  EXPECT_THROW(open("raw", "a.bin", {{"x", DType::f32, {1, 4}}}), Error);
  spec_.shape = {3};
  spec_.dtype = "floaty";
  EXPECT_THROW(open("raw", "a.bin", {{"x", DType::f32, {1, 3}}}), Error);
}

TEST_F(ArraySource, shapes_must_be_those_of_the_model) {
  write_file(folder_.path() / "a.npy", npy("<f4", "(1, 2, 3)", kSix));
  EXPECT_NO_THROW(open("npy", "a.npy", {{"x", DType::f32, {1, 2, 3}}}));
  EXPECT_NO_THROW(open("npy", "a.npy", {{"x", DType::f32, {1, 1, 2, 3}}}));
  EXPECT_NO_THROW(open("npy", "a.npy", {{"x", DType::f32, {1, 6}}}));
  EXPECT_NO_THROW(open("npy", "a.npy", {{"x", DType::f32, {1, -1, 3}}}));
  try {
    open("npy", "a.npy", {{"image", DType::f32, {1, 3, 2}}});
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(),
                testing::HasSubstr("a sample is 2x3, the model's input 'image' takes 3x2"));
  }
}

TEST_F(ArraySource, one_array_cannot_feed_two_inputs) {
  write_file(folder_.path() / "a.npy", npy("<f4", "(1, 2, 3)", kSix));
  EXPECT_THROW(open("npy", "a.npy", {{"x", DType::f32, {1, 6}}, {"y", DType::f32, {1, 6}}}), Error);
  EXPECT_THROW(open("mat", "a.npy", {{"x", DType::f32, {1, 6}}}), Error);
}

TEST_F(ArraySource, mean_and_std_apply_to_each_channel) {
  write_file(folder_.path() / "a.npy", npy("<f4", "(1, 2, 1, 3)", kSix));
  spec_.preprocess.mean = {1, 4};
  spec_.preprocess.std = {1, 0.5};
  const std::vector<std::int64_t> first{0};
  const Tensor planar = open("npy", "a.npy", {{"x", DType::f32, {1, 2, 1, 3}}})->batch(first).at(0);
  EXPECT_THAT(planar.as<float>(), testing::ElementsAre(0, 1, 2, 0, 2, 4));

  write_file(folder_.path() / "b.npy", npy("<f4", "(1, 1, 3, 2)", kSix));
  spec_.preprocess.layout = "nhwc";
  const Tensor mixed = open("npy", "b.npy", {{"x", DType::f32, {1, 1, 3, 2}}})->batch(first).at(0);
  EXPECT_THAT(mixed.as<float>(), testing::ElementsAre(0, -4, 2, 0, 4, 4));

  spec_.preprocess.mean = {1, 2, 3};
  EXPECT_THROW(open("npy", "b.npy", {{"x", DType::f32, {1, 1, 3, 2}}}), Error);
}

TEST_F(ArraySource, integer_inputs_round_half_to_even_and_saturate) {
  write_file(folder_.path() / "a.npy",
             npy("<f4", "(1, 6)", bytes_of<float>({0.5f, 1.5f, -3, 255, 300, 2.4f})));
  const std::vector<std::int64_t> first{0};
  const Tensor batch = open("npy", "a.npy", {{"x", DType::u8, {1, 6}}})->batch(first).at(0);
  EXPECT_THAT(batch.as<std::uint8_t>(), testing::ElementsAre(0, 2, 0, 255, 255, 2));
}

TEST_F(ArraySource, arrays_are_cropped_in_the_middle) {
  std::vector<float> elements(25);
  for (std::size_t i = 0; i < elements.size(); ++i) elements[i] = static_cast<float>(i);
  write_file(folder_.path() / "a.npy", npy("<f4", "(1, 1, 5, 5)", bytes_of(elements)));
  spec_.preprocess.center_crop = 1;
  const std::vector<std::int64_t> first{0};
  const Tensor batch = open("npy", "a.npy", {{"x", DType::f32, {1, 1, 1, 1}}})->batch(first).at(0);
  EXPECT_THAT(batch.as<float>(), testing::ElementsAre(12));
  spec_.preprocess.center_crop = 6;
  EXPECT_THROW(open("npy", "a.npy", {{"x", DType::f32, {1, 1, 6, 6}}}), Error);
}

TEST_F(ArraySource, settings_that_make_no_sense_are_refused) {
  write_file(folder_.path() / "a.npy", npy("<f4", "(1, 6)", kSix));
  const auto refuses = [&](const Preprocess& preprocess) {
    spec_.preprocess = preprocess;
    EXPECT_THROW(open("npy", "a.npy", {{"x", DType::f32, {1, 6}}}), Error);
  };
  refuses({.layout = "chwn"});
  refuses({.color = "cmyk"});
  refuses({.std = {0.0}});
  refuses({.resize = 0});
  refuses({.center_crop = 1 << 20});
}

TEST_F(ArraySource, labels_may_be_text) {
  write_file(folder_.path() / "labels.txt", "3\n\n-1\r\n12");
  EXPECT_EQ(read_labels(folder_.path() / "labels.txt"), (std::vector<std::int64_t>{3, -1, 12}));
  write_file(folder_.path() / "labels.txt", "3\nx\n");
  EXPECT_THROW(read_labels(folder_.path() / "labels.txt"), Error);
}

}  // namespace
}  // namespace adze::host
