#include "host/base/tensor.hpp"

#include <cmath>

#include "host/base/error.hpp"

namespace adze::host {
namespace {

TEST(Tensor, uniform_takes_no_memory_of_its_size) {
  const Tensor tensor = Tensor::uniform(DType::f32, {1 << 14, 1 << 14}, 0.5);  // 1 GiB
  EXPECT_TRUE(tensor.is_uniform());
  EXPECT_EQ(tensor.size_bytes(), std::size_t{1} << 30);
  const auto elements = tensor.as<float>();
  EXPECT_EQ(elements.front(), 0.5f);
  EXPECT_EQ(elements[elements.size() / 2 + 1], 0.5f);
  EXPECT_EQ(elements.back(), 0.5f);
}

TEST(Tensor, uniform_is_exact_in_every_type) {
  EXPECT_EQ(Tensor::uniform(DType::i8, {3}, -7).as<std::int8_t>()[2], -7);
  EXPECT_EQ(Tensor::uniform(DType::u8, {70'000}, 200).as<std::uint8_t>()[69'999], 200);
  EXPECT_EQ(Tensor::uniform(DType::i64, {20'000}, -1e12).as<std::int64_t>()[19'999],
            -1'000'000'000'000);
  EXPECT_EQ(Tensor::uniform(DType::boolean, {3}, 5).as<std::uint8_t>()[0], 1);
  EXPECT_EQ(to_f32(Tensor::uniform(DType::f16, {3}, -0.5))[1], -0.5f);
  EXPECT_EQ(to_f32(Tensor::uniform(DType::f16, {1}, 65504))[0], 65504.0f);
  EXPECT_EQ(to_f32(Tensor::uniform(DType::f16, {1}, 0x1p-24))[0], 0x1p-24f);
  EXPECT_TRUE(std::isinf(to_f32(Tensor::uniform(DType::f16, {1}, 1e6))[0]));
  EXPECT_EQ(to_f32(Tensor::uniform(DType::bf16, {1}, 3))[0], 3.0f);
}

TEST(Tensor, mutate_leaves_copies_alone) {
  for (Tensor first : {Tensor(DType::f32, {4}), Tensor::uniform(DType::f32, {40'000}, 0)}) {
    const Tensor second = first;
    first.mutate<float>()[1] = 7;
    EXPECT_EQ(first.as<float>()[1], 7);
    EXPECT_EQ(second.as<float>()[1], 0);
    EXPECT_FALSE(first.is_uniform());
  }
}

TEST(Tensor, elements_of_another_size_are_refused) {
  const Tensor tensor(DType::f32, {2});
  EXPECT_THROW(tensor.as<double>(), Error);
  EXPECT_EQ(tensor.as<std::int32_t>().size(), 2u);
}

TEST(Tensor, reshaped_keeps_the_count) {
  const Tensor tensor = Tensor(DType::u8, {2, 3});
  EXPECT_EQ(tensor.reshaped({6}).shape(), Shape{6});
  EXPECT_THROW(tensor.reshaped({5}), Error);
}

TEST(Tensor, counts_overflow_is_refused) {
  EXPECT_EQ(element_count({}), 1);
  EXPECT_EQ(element_count({5, 0, 3}), 0);
  EXPECT_THROW(element_count({-1}), Error);
  EXPECT_THROW(element_count({1ll << 31, 1ll << 31, 4}), Error);
}

TEST(Tensor, shape_reads_as_text) {
  EXPECT_EQ(to_string(Shape{}), "scalar");
  EXPECT_EQ(to_string(Shape{1, -1, 224}), "1x?x224");
}

class CopyOf : public testing::Test {
 protected:
  CopyOf() { view_ = view_of(tensor_, strides_); }
  adze_status refusal() {
    try {
      copy_of(view_);
      return ADZE_OK;
    } catch (const Error& error) {
      return error.code;
    }
  }
  const float elements_[6] = {1, 2, 3, 4, 5, 6};
  Tensor tensor_{DType::f32, {2, 3}, std::span<const float>(elements_)};
  Shape strides_;
  adze_tensor view_{};
};

TEST_F(CopyOf, view_has_the_same_contents) {
  const Tensor copy = copy_of(view_);
  EXPECT_EQ(copy.shape(), (Shape{2, 3}));
  EXPECT_THAT(to_f32(copy), testing::ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_NE(copy.bytes().data(), tensor_.bytes().data());
}

TEST_F(CopyOf, missing_strides_mean_row_major) {
  view_.strides = nullptr;
  EXPECT_THAT(to_f32(copy_of(view_)), testing::ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST_F(CopyOf, byte_offset_counts) {
  const std::int64_t rows = 1;
  view_.ndim = 1;
  view_.shape = &rows;
  view_.strides = nullptr;
  view_.byte_offset = 8;
  EXPECT_THAT(to_f32(copy_of(view_)), testing::ElementsAre(3));
}

TEST_F(CopyOf, transposed_strides_are_refused) {
  const std::int64_t transposed[] = {1, 2};
  view_.strides = transposed;
  EXPECT_EQ(refusal(), ADZE_INVALID_ARGUMENT);
}

TEST_F(CopyOf, missing_data_are_refused_unless_empty) {
  view_.data = nullptr;
  EXPECT_EQ(refusal(), ADZE_INVALID_ARGUMENT);
  const std::int64_t empty[] = {0, 3};
  view_.shape = empty;
  EXPECT_EQ(copy_of(view_).count(), 0);
}

TEST_F(CopyOf, device_lanes_rank_and_type_are_checked) {
  const adze_tensor good = view_;
  view_.device_type = 2;
  EXPECT_EQ(refusal(), ADZE_INVALID_ARGUMENT);
  view_ = good;
  view_.lanes = 4;
  EXPECT_EQ(refusal(), ADZE_INVALID_ARGUMENT);
  view_ = good;
  view_.ndim = -1;
  EXPECT_EQ(refusal(), ADZE_INVALID_ARGUMENT);
  view_ = good;
  view_.ndim = 1000;
  EXPECT_EQ(refusal(), ADZE_INVALID_ARGUMENT);
  view_ = good;
  view_.shape = nullptr;
  EXPECT_EQ(refusal(), ADZE_INVALID_ARGUMENT);
  view_ = good;
  view_.bits = 24;
  EXPECT_EQ(refusal(), ADZE_INVALID_ARGUMENT);
  view_ = good;
  const std::int64_t negative[] = {-2, 3};
  view_.shape = negative;
  EXPECT_EQ(refusal(), ADZE_OUT_OF_RANGE);
}

TEST(Attachment, belongs_to_the_contents_and_goes_when_they_change) {
  Tensor first(DType::f32, {2});
  EXPECT_EQ(first.attachment(), nullptr);
  const auto made = std::make_shared<const int>(5);
  first.attach(made);
  Tensor second = first;
  EXPECT_EQ(second.attachment(), made);
  EXPECT_EQ(second.reshaped({1, 2}).attachment(), made);
  second.mutate<float>()[0] = 1;
  EXPECT_EQ(second.attachment(), nullptr);
  EXPECT_EQ(first.attachment(), made);
  first.mutate<float>()[0] = 1;  // in place: nobody shares it any more
  EXPECT_EQ(first.attachment(), nullptr);
  EXPECT_EQ(made.use_count(), 1);
  EXPECT_EQ(Tensor().attachment(), nullptr);
}

TEST(Tensor, computes_the_floats_that_integers_stand_for_when_it_is_asked) {
  const Tensor stored(DType::i8, {2, 2}, std::span<const std::int8_t>({-128, 0, 1, 127}));
  const Tensor floats = Tensor::dequantized({stored, 0, {0.5f, 2}, {0, 1}});
  EXPECT_EQ(floats.dtype(), DType::f32);
  EXPECT_EQ(floats.size_bytes(), 16u);
  const Tensor other = floats.reshaped({4});
  ASSERT_NE(floats.integers(), nullptr);
  EXPECT_EQ(floats.integers()->stored.bytes().data(), stored.bytes().data());
  EXPECT_EQ(to_f32(floats), (std::vector<float>{-64, 0, 0, 252}));
  EXPECT_EQ(other.bytes().data(), floats.bytes().data()) << "computed once";
  const Tensor bytes(DType::u8, {2}, std::span<const std::uint8_t>({0, 255}));
  EXPECT_EQ(to_f32(Tensor::dequantized({bytes, -1, {0.5f}, {}})), (std::vector<float>{0, 127.5f}));
}

TEST(Tensor, forgets_the_integers_when_contents_change) {
  const Tensor stored(DType::i8, {2}, std::span<const std::int8_t>({1, 2}));
  const Tensor floats = Tensor::dequantized({stored, -1, {1}, {}});
  Tensor changed = floats;
  changed.mutate<float>()[0] = 7;
  EXPECT_EQ(changed.integers(), nullptr);
  EXPECT_EQ(to_f32(changed), (std::vector<float>{7, 2}));
  EXPECT_EQ(to_f32(floats), (std::vector<float>{1, 2}));
  ASSERT_NE(floats.integers(), nullptr);
}

TEST(DTypes, codes_lead_back_to_the_type) {
  for (int i = 0; i <= static_cast<int>(DType::boolean); ++i) {
    const auto dtype = static_cast<DType>(i);
    EXPECT_EQ(dtype_of(info(dtype).code, info(dtype).bits), dtype) << info(dtype).name;
  }
}

}  // namespace
}  // namespace adze::host
