#include "host/abi/batch.hpp"

#include <gtest/gtest.h>

#include <numeric>

#include "host/base/error.hpp"

namespace adze::host {
namespace {

using testing::ElementsAre;

Tensor counting(Shape shape) {
  std::vector<float> elements(static_cast<std::size_t>(element_count(shape)));
  std::iota(elements.begin(), elements.end(), 0.0f);
  return {DType::f32, std::move(shape), std::span<const float>(elements)};
}

TEST(Batch, slices_along_the_first_axis) {
  EXPECT_THAT(slice_padded(counting({3, 2}), 0, 1, 2).as<float>(), ElementsAre(2, 3, 4, 5));
}

TEST(Batch, slices_along_an_inner_axis) {
  EXPECT_THAT(slice_padded(counting({2, 3}), 1, 1, 1).as<float>(), ElementsAre(1, 4));
}

TEST(Batch, repeats_the_last_sample_behind_the_end) {
  EXPECT_THAT(slice_padded(counting({3, 2}), 0, 2, 3).as<float>(), ElementsAre(4, 5, 4, 5, 4, 5));
  EXPECT_THAT(slice_padded(counting({2, 2}), 1, 1, 2).as<float>(), ElementsAre(1, 1, 3, 3));
}

TEST(Batch, all_of_a_tensor_is_not_copied) {
  const Tensor tensor = counting({3, 2});
  EXPECT_EQ(slice_padded(tensor, 0, 0, 3).bytes().data(), tensor.bytes().data());
}

TEST(Batch, joins_what_was_sliced) {
  const Tensor tensor = counting({2, 5, 3});
  for (const std::size_t axis : {0u, 1u, 2u}) {
    std::vector<Tensor> parts;
    for (std::int64_t i = 0; i < tensor.shape()[axis]; ++i)
      parts.push_back(slice_padded(tensor, axis, i, 1));
    const Tensor joined = join(parts, axis);
    EXPECT_EQ(joined.shape(), tensor.shape());
    EXPECT_THAT(joined.as<float>(), testing::ElementsAreArray(tensor.as<float>())) << axis;
  }
}

TEST(Batch, refuses_parts_that_do_not_fit) {
  const std::vector<Tensor> parts = {counting({1, 2}), counting({1, 3})};
  EXPECT_THROW(join(parts, 0), Error);
}

}  // namespace
}  // namespace adze::host
