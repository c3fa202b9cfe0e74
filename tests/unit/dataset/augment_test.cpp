#include "host/dataset/augment.hpp"

#include <gmock/gmock.h>

#include <set>

namespace adze::host {
namespace {

using testing::ElementsAre;

/// Two images of two channels of 2 x 3 (planes first), pixels 0 to 5 and 10 to 15, then 100 more.
Tensor images() {
  std::vector<std::uint8_t> pixels;
  for (const int first : {0, 10, 100, 110})
    for (int i = 0; i < 6; ++i) pixels.push_back(static_cast<std::uint8_t>(first + i));
  return Tensor(DType::u8, {2, 2, 2, 3}, std::span<const std::uint8_t>(pixels));
}

TEST(Augment, mirrors_one_image_of_a_batch) {
  Tensor batch = images();
  augment(batch, 1, {.mirror = true}, 1);
  EXPECT_THAT(batch.as<std::uint8_t>(),
              ElementsAre(0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15, 102, 101, 100, 105, 104, 103,
                          112, 111, 110, 115, 114, 113));
}

TEST(Augment, shifts_and_repeats_the_border) {
  const Augmentation one_pixel{.mirror = false, .shift = 1};
  ASSERT_EQ(one_pixel.variants(), 9u);
  Tensor batch = images();
  augment(batch, 0, one_pixel, 4);
  EXPECT_TRUE(std::ranges::equal(batch.bytes(), images().bytes())) << "the middle one";
  augment(batch, 0, one_pixel, 8);
  EXPECT_THAT(batch.as<std::uint8_t>().first(12),
              ElementsAre(4, 5, 5, 4, 5, 5, 14, 15, 15, 14, 15, 15));
}

TEST(Augment, keeps_the_channels_of_a_pixel_together) {
  const std::vector<float> pixels = {0, 1, 2, 3, 4, 5};  // 1 x 3 of two channels
  Tensor batch(DType::f32, {1, 1, 3, 2}, std::span<const float>(pixels));
  augment(batch, 0, {.mirror = true, .shift = 0, .layout = "nhwc"}, 1);
  EXPECT_THAT(batch.as<float>(), ElementsAre(4, 5, 2, 3, 0, 1));
}

TEST(Augment, every_variant_is_another_image) {
  const Augmentation all{.mirror = true, .shift = 1};
  EXPECT_EQ(all.variants(), 18u);
  std::set<std::vector<std::uint8_t>> seen;
  std::vector<std::uint8_t> pixels(25);
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>(i);
  for (std::uint64_t variant = 0; variant < all.variants(); ++variant) {
    Tensor image(DType::u8, {1, 1, 5, 5}, std::span<const std::uint8_t>(pixels));
    augment(image, 0, all, variant);
    const auto made = image.as<std::uint8_t>();
    seen.emplace(made.begin(), made.end());
  }
  EXPECT_EQ(seen.size(), 18u);
}

}  // namespace
}  // namespace adze::host
