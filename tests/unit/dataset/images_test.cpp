#include <opencv2/imgcodecs.hpp>

#include "host/base/error.hpp"
#include "host/base/file.hpp"
#include "host/dataset/dataset.hpp"

namespace adze::host {
namespace {

class ImageFolder : public testing::Test {
 protected:
  ImageFolder() {
    spec_.source = "images";
    spec_.images = folder_.path();
  }
  void write_png(const std::string& name, const cv::Mat& image) {
    cv::imwrite((folder_.path() / name).string(), image);
  }
  // Blue, green, red.
  void write_png(const std::string& name, int width, int height, const cv::Scalar& color) {
    write_png(name, cv::Mat(height, width, CV_8UC3, color));
  }
  std::unique_ptr<Dataset> open(Shape input) {
    const InputSpec spec{"x", DType::f32, std::move(input)};
    return open_dataset(spec_, std::span(&spec, 1));
  }
  std::string complaint(const Shape& input) {
    try {
      const auto data = open(input);
      std::vector<std::int64_t> all(static_cast<std::size_t>(data->size()));
      for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::int64_t>(i);
      data->batch(all);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }
  TemporaryDirectory folder_;
  DataSpec spec_;
};

TEST_F(ImageFolder, is_sorted_by_name_and_unlabeled_without_a_csv) {
  write_png("b.png", 2, 2, {0, 0, 20});
  write_png("a.png", 2, 2, {0, 0, 10});
  write_file(folder_.path() / "notes.md", "no image");
  const auto data = open({1, 3, 2, 2});
  EXPECT_EQ(data->size(), 2);
  EXPECT_FALSE(data->has_labels());
  const std::vector<std::int64_t> both{0, 1};
  const Tensor batch = data->batch(both).at(0);
  EXPECT_EQ(batch.shape(), (Shape{2, 3, 2, 2}));
  EXPECT_EQ(batch.as<float>()[0], 10);
  EXPECT_EQ(batch.as<float>()[12], 20);
}

TEST_F(ImageFolder, takes_order_and_labels_from_the_csv) {
  write_png("a.png", 2, 2, {0, 0, 10});
  write_png("b, c.png", 2, 2, {0, 0, 20});
  spec_.labels = folder_.path() / "labels.csv";
  write_file(spec_.labels, "file,label\nb, c.png,4\r\n\"a.png\", 2\n");
  const auto data = open({1, 3, 2, 2});
  EXPECT_EQ(data->label(0), 4);
  EXPECT_EQ(data->label(1), 2);
  const std::vector<std::int64_t> first{0};
  EXPECT_EQ(data->batch(first).at(0).as<float>()[0], 20);
}

TEST_F(ImageFolder, color_and_layout_are_those_of_the_model) {
  write_png("a.png", 1, 1, {1, 2, 3});
  const std::vector<std::int64_t> first{0};
  EXPECT_THAT(open({1, 3, 1, 1})->batch(first).at(0).as<float>(), testing::ElementsAre(3, 2, 1));
  spec_.preprocess.color = "bgr";
  spec_.preprocess.layout = "nhwc";
  EXPECT_THAT(open({1, 1, 1, 3})->batch(first).at(0).as<float>(), testing::ElementsAre(1, 2, 3));
  spec_.preprocess.color = "gray";
  EXPECT_THAT(open({1, 1, 1, 1})->batch(first).at(0).as<float>(), testing::ElementsAre(2));
}

TEST_F(ImageFolder, resizes_the_shorter_side_and_crops_the_middle) {
  cv::Mat image(4, 8, CV_8UC3, cv::Scalar(0, 0, 0));
  image(cv::Rect(2, 0, 4, 4)).setTo(cv::Scalar(9, 9, 9));
  write_png("a.png", image);
  spec_.preprocess.resize = 2;
  spec_.preprocess.center_crop = 2;
  const std::vector<std::int64_t> first{0};
  EXPECT_THAT(open({1, 3, 2, 2})->batch(first).at(0).as<float>(), testing::Each(9));
}

TEST_F(ImageFolder, names_the_file_that_does_not_fit) {
  write_png("a.png", 2, 2, {0, 0, 10});
  write_png("b.png", 3, 2, {0, 0, 10});
  EXPECT_THAT(complaint({1, 3, 2, 2}), testing::HasSubstr("b.png"));
  EXPECT_THAT(complaint({1, 3, 4, 4}), testing::HasSubstr("takes 3x4x4"));
}

TEST_F(ImageFolder, names_the_file_that_is_damaged) {
  write_file(folder_.path() / "a.png", "\x89PNG\r\n\x1a\n and nothing more");
  EXPECT_THAT(complaint({1, 3, 2, 2}), testing::HasSubstr("cannot decode"));
  write_file(folder_.path() / "a.png", "");
  EXPECT_THAT(complaint({1, 3, 2, 2}), testing::HasSubstr("a.png"));
}

TEST_F(ImageFolder, csv_mistakes_name_the_line) {
  write_png("a.png", 2, 2, {0, 0, 10});
  spec_.labels = folder_.path() / "labels.csv";
  write_file(spec_.labels, "a.png,1\nmissing.png,2\n");
  EXPECT_THAT(complaint({1, 3, 2, 2}), testing::HasSubstr("line 2 names 'missing.png'"));
  write_file(spec_.labels, "a.png,1\na.png;2\n");
  EXPECT_THAT(complaint({1, 3, 2, 2}), testing::HasSubstr("line 2 is not 'file,label'"));
  write_file(spec_.labels, "file,label\n");
  EXPECT_THAT(complaint({1, 3, 2, 2}), testing::HasSubstr("names no images"));
}

TEST_F(ImageFolder, must_be_a_folder) {
  spec_.images = folder_.path() / "none";
  EXPECT_THAT(complaint({1, 3, 2, 2}), testing::HasSubstr("not a folder"));
}

}  // namespace
}  // namespace adze::host
