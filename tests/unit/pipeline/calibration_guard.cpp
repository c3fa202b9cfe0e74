// What is said of calibration sets that cannot tell what a model will meet.
#include "host/pipeline/calibration_guard.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <numeric>

namespace adze::host {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::int64_t kSide = 8, kChannels = 3;

/// Pictures whose element at (sample, channel, pixel) is what a function says.
class Pictures final : public Dataset {
 public:
  using Element = std::function<double(std::int64_t, std::int64_t, std::int64_t)>;
  Pictures(std::int64_t size, Element element) : size_(size), element_(std::move(element)) {}
  std::int64_t size() const override { return size_; }
  bool has_labels() const override { return true; }
  std::int64_t label(std::int64_t index) const override { return index % 4; }
  std::vector<Tensor> batch(std::span<const std::int64_t> indices) const override {
    std::vector<float> elements;
    for (const std::int64_t index : indices)
      for (std::int64_t c = 0; c < kChannels; ++c)
        for (std::int64_t i = 0; i < kSide * kSide; ++i)
          elements.push_back(static_cast<float>(element_(index, c, i)));
    return {Tensor(DType::f32, {static_cast<std::int64_t>(indices.size()), kChannels, kSide, kSide},
                   std::span<const float>(elements))};
  }

 private:
  std::int64_t size_;
  Element element_;
};

/// Smooth, another in each sample, darker from channel to channel.
double smooth(std::int64_t sample, std::int64_t channel, std::int64_t pixel) {
  return std::sin(0.4 * static_cast<double>(pixel) + static_cast<double>(sample)) -
         2.0 * static_cast<double>(channel);
}

Graph classifier(std::int64_t classes) {
  Graph graph;
  graph.values.resize(2);
  graph.values[0].name = "image";
  graph.values[1].name = "logits";
  graph.values[1].shape = Shape{1, classes};
  graph.inputs = {0};
  graph.outputs = {1};
  return graph;
}

std::vector<std::string> warnings(const Dataset& calibration, std::int64_t classes = 4) {
  std::vector<std::int64_t> all(static_cast<std::size_t>(calibration.size()));
  std::iota(all.begin(), all.end(), 0);
  return check_calibration(classifier(classes), calibration, all, Pictures(50, smooth)).warnings;
}

TEST(CalibrationGuard, has_nothing_to_say_of_pictures_like_those_of_the_evaluation) {
  EXPECT_THAT(warnings(Pictures(100, smooth)), IsEmpty());
}

TEST(CalibrationGuard, asks_for_the_vendors_number_of_samples) {
  EXPECT_EQ(advised_samples(4), 80);
  EXPECT_EQ(advised_samples(1000), 1000);
  EXPECT_EQ(advised_samples(std::nullopt), 100);
  EXPECT_THAT(warnings(Pictures(79, smooth)), ElementsAre(HasSubstr("79 are few")));
}

TEST(CalibrationGuard, counts_the_classes_that_the_samples_show) {
  EXPECT_THAT(warnings(Pictures(100, smooth), 5), ElementsAre(HasSubstr("only 4 of 5 classes")));
}

TEST(CalibrationGuard, knows_constant_data) {
  EXPECT_THAT(warnings(Pictures(100, [](auto, auto, auto) { return 7.0; })),
              ElementsAre(HasSubstr("all their elements are 7")));
}

TEST(CalibrationGuard, knows_one_picture_over_and_over) {
  EXPECT_THAT(
      warnings(Pictures(100, [](auto, auto channel, auto i) { return smooth(0, channel, i); })),
      ::testing::Contains(HasSubstr("the same sample")));
}

TEST(CalibrationGuard, knows_noise) {
  const auto noise = [](std::int64_t sample, std::int64_t channel, std::int64_t i) {
    const auto mixed = static_cast<std::uint32_t>((sample * kChannels + channel) * 64 + i + 1);
    std::uint32_t hash = mixed * 2654435761u;
    hash = (hash ^ (hash >> 15)) * 2246822519u;
    hash = (hash ^ (hash >> 13)) * 3266489917u;
    return static_cast<double>(hash ^ (hash >> 16)) / 4294967296.0;
  };
  EXPECT_THAT(warnings(Pictures(100, noise)), ::testing::Contains(HasSubstr("random noise")));
}

TEST(CalibrationGuard, guesses_what_is_wrong_with_the_preprocessing) {
  const auto scaled = [](auto sample, auto c, auto i) { return 255 * smooth(sample, c, i); };
  EXPECT_THAT(warnings(Pictures(100, scaled)), ElementsAre(HasSubstr("`scale` looks like")));
  const auto swapped = [](auto sample, auto c, auto i) {
    return smooth(sample, kChannels - 1 - c, i);
  };
  EXPECT_THAT(warnings(Pictures(100, swapped)), ElementsAre(HasSubstr("look swapped")));
}

}  // namespace
}  // namespace adze::host
