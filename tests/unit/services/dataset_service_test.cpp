#include "host/services/dataset_service.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/bad_plugins/graphs.hpp"
#include "tests/unit/services/samples.hpp"

namespace adze::host {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::vector<InputSpec> kInputs = {{"x", DType::f32, {1, 2}}};

class DatasetServiceTest : public testing::Test {
 protected:
  DatasetServiceTest() { call.offer(service); }
  const adze_dataset& table() {
    return *static_cast<const adze_dataset*>(
        call.get()->host->get_extension(call.get(), ADZE_DATASET));
  }
  adze_status ask(std::uint32_t split, std::uint32_t size, std::uint64_t epoch,
                  std::uint64_t index) {
    return table().batch(call.get(), split, size, epoch, index, &batch);
  }
  /// The samples that the last batch holds.
  std::vector<int> numbers() const {
    const auto* elements = static_cast<const float*>(batch->inputs[0]->data);
    std::vector<int> found;
    for (std::uint64_t i = 0; i < batch->sample_count; ++i) {
      EXPECT_EQ(elements[2 * i + 1], -elements[2 * i]);
      found.push_back(static_cast<int>(elements[2 * i]));
    }
    return found;
  }
  std::vector<int> epoch_of(std::uint64_t epoch, std::uint32_t size) {
    std::vector<int> all;
    for (std::uint64_t i = 0; ask(ADZE_SPLIT_TRAIN, size, epoch, i) == ADZE_OK; ++i)
      for (const int number : numbers()) all.push_back(number);
    return all;
  }

  test::Numbers samples{100, true};
  DatasetService service{samples, {10, 11, 12, 13, 14, 15, 16}, {50, 51, 52}, kInputs};
  CallOptions options{.seed = 7};
  Call call{test::component("bad_edits"), {}, options};
  const adze_batch* batch = nullptr;
};

TEST_F(DatasetServiceTest, says_what_there_is) {
  EXPECT_EQ(table().train_count, 7u);
  EXPECT_EQ(table().held_out_count, 3u);
  EXPECT_EQ(table().labeled, 1u);
}

TEST_F(DatasetServiceTest, an_epoch_is_every_training_sample_once_in_an_order_of_its_own) {
  const std::vector<int> first = epoch_of(0, 3), second = epoch_of(1, 3);
  EXPECT_NE(first, second);
  for (std::vector<int> epoch : {first, second}) {
    std::ranges::sort(epoch);
    EXPECT_THAT(epoch, ElementsAre(10, 11, 12, 13, 14, 15, 16));
  }
  EXPECT_EQ(epoch_of(0, 7), first) << "the size of a batch does not change the order";
}

TEST_F(DatasetServiceTest, batches_are_the_same_in_any_order_and_for_the_same_seed_only) {
  const std::vector<int> all = epoch_of(3, 2);
  for (const std::uint64_t index : {3u, 0u, 2u, 2u, 1u}) {
    ASSERT_EQ(ask(ADZE_SPLIT_TRAIN, 2, 3, index), ADZE_OK);
    EXPECT_EQ(numbers(),
              std::vector<int>(all.begin() + static_cast<std::ptrdiff_t>(2 * index),
                               all.begin() + static_cast<std::ptrdiff_t>(
                                                 std::min<std::size_t>(2 * index + 2, 7))));
  }
  std::vector<int> others;
  for (std::uint64_t i = 0; i < 4; ++i) {
    batch = service.batch(8, ADZE_SPLIT_TRAIN, 2, 3, i);
    for (const int number : numbers()) others.push_back(number);
  }
  EXPECT_NE(others, all);
}

TEST_F(DatasetServiceTest, held_out_samples_keep_their_order_and_labels_come_along) {
  ASSERT_EQ(ask(ADZE_SPLIT_HELD_OUT, 2, 5, 1), ADZE_OK);
  EXPECT_THAT(numbers(), ElementsAre(52));
  ASSERT_EQ(ask(ADZE_SPLIT_HELD_OUT, 2, 0, 0), ADZE_OK);
  EXPECT_THAT(numbers(), ElementsAre(50, 51));
  ASSERT_TRUE(batch->labels);
  EXPECT_EQ(batch->labels->shape[0], 2);
  EXPECT_THAT(std::span(static_cast<const std::int64_t*>(batch->labels->data), 2),
              ElementsAre(0, 1));
}

/// Tenfold the inputs; counts how many samples it was run for.
class Tenfold : public Runner {
 public:
  explicit Tenfold(int& samples) : samples_(samples) {}
  std::string name() const override { return "tenfold"; }
  std::vector<NamedTensor> run(std::span<const Tensor> inputs) override {
    std::vector<float> elements = to_f32(inputs[0]);
    for (float& element : elements) element *= 10;
    samples_ += static_cast<int>(inputs[0].shape()[0]);
    return {{"y", from_f32(DType::f32, inputs[0].shape(), elements)}};
  }
  std::vector<ProfileRow> profile() override { return {}; }

 private:
  int& samples_;
};

TEST_F(DatasetServiceTest, the_reference_answers_for_the_last_batch_and_is_run_once_a_sample) {
  EXPECT_EQ(table().reference, nullptr) << "nothing to run";
  int run = 0;
  DatasetService taught(samples, {10, 11, 12, 13, 14, 15, 16}, {50, 51, 52}, kInputs,
                        [&] { return std::make_unique<Tenfold>(run); });
  Call other{test::component("bad_edits"), {}, options};
  other.offer(taught);
  std::uint32_t count = 0;
  const adze_tensor* const* outputs = nullptr;
  const auto reference = [&] {
    const auto& offered = *static_cast<const adze_dataset*>(taught.table());
    return offered.reference(other.get(), &count, &outputs);
  };
  EXPECT_EQ(reference(), ADZE_FAILED_PRECONDITION);
  for (std::uint64_t epoch = 0; epoch < 2; ++epoch)
    for (std::uint64_t index = 0; index < 3; ++index) {
      batch = taught.batch(7, ADZE_SPLIT_TRAIN, 3, epoch, index);
      ASSERT_EQ(reference(), ADZE_OK);
      ASSERT_EQ(count, 1u);
      EXPECT_EQ(outputs[0]->shape[0], static_cast<std::int64_t>(batch->sample_count));
      const auto* elements = static_cast<const float*>(outputs[0]->data);
      const std::vector<int> wanted = numbers();
      for (std::size_t i = 0; i < wanted.size(); ++i)
        EXPECT_EQ(elements[2 * i], static_cast<float>(10 * wanted[i]));
    }
  EXPECT_EQ(run, 7) << "the second epoch asks about the same samples";
}

/// Images of 2 x 3 whose pixels count up from ten times their number.
class Counting : public test::Numbers {
 public:
  Counting() : Numbers(100, false) {}
  std::vector<Tensor> batch(std::span<const std::int64_t> indices) const override {
    std::vector<float> pixels;
    for (const std::int64_t index : indices)
      for (int i = 0; i < 6; ++i) pixels.push_back(static_cast<float>(10 * index + i));
    return {Tensor(DType::f32, {static_cast<std::int64_t>(indices.size()), 1, 2, 3},
                   std::span<const float>(pixels))};
  }
};
const std::vector<InputSpec> kImage = {{"image", DType::f32, {1, 1, 2, 3}}};

std::vector<float> elements_of(const adze_tensor& tensor) {
  const auto* first = static_cast<const float*>(tensor.data);
  std::int64_t count = 1;
  for (std::int32_t axis = 0; axis < tensor.ndim; ++axis) count *= tensor.shape[axis];
  return {first, first + count};
}

TEST(AugmentedSamples, differ_between_epochs_and_the_reference_sees_what_the_component_sees) {
  const Counting samples;
  int run = 0;
  DatasetService service(samples, {0, 1, 2, 3, 4, 5, 6, 7}, {8}, kImage,
                         [&] { return std::make_unique<Tenfold>(run); }, {.mirror = true});
  std::vector<std::vector<float>> by_epoch;
  int mirrored = 0;
  for (std::uint64_t epoch = 0; epoch < 8; ++epoch) {
    std::vector<float> all(8 * 6);
    for (std::uint64_t index = 0; index < 4; ++index) {
      const adze_batch& batch = *service.batch(7, ADZE_SPLIT_TRAIN, 2, epoch, index);
      const std::vector<float> seen = elements_of(*batch.inputs[0]);
      const std::vector<float> answer = elements_of(*service.reference()[0]);
      for (std::size_t i = 0; i < seen.size(); ++i) EXPECT_EQ(answer[i], 10 * seen[i]);
      for (std::size_t at = 0; at < seen.size(); at += 6) {
        const float first = 10 * std::floor(seen[at] / 10);
        const bool turned = seen[at] != first;
        mirrored += turned;
        const std::vector<float> wanted =
            turned ? std::vector<float>{2, 1, 0, 5, 4, 3} : std::vector<float>{0, 1, 2, 3, 4, 5};
        for (std::size_t i = 0; i < 6; ++i) EXPECT_EQ(seen[at + i], first + wanted[i]);
        std::copy_n(seen.begin() + static_cast<std::ptrdiff_t>(at), 6,
                    all.begin() + static_cast<std::ptrdiff_t>(first / 10 * 6));
      }
    }
    by_epoch.push_back(all);
    EXPECT_EQ(elements_of(*service.batch(7, ADZE_SPLIT_HELD_OUT, 1, epoch, 0)->inputs[0])[0], 80);
  }
  EXPECT_GT(mirrored, 16);
  EXPECT_LT(mirrored, 48);
  EXPECT_NE(by_epoch[0], by_epoch[1]);
  EXPECT_LT(run, 64) << "variants that were seen before are not run again";
  const std::vector<float> once =
      elements_of(*service.batch(7, ADZE_SPLIT_TRAIN, 8, 3, 0)->inputs[0]);
  service.batch(7, ADZE_SPLIT_TRAIN, 8, 5, 0);
  EXPECT_EQ(elements_of(*service.batch(7, ADZE_SPLIT_TRAIN, 8, 3, 0)->inputs[0]), once);
}

TEST(AugmentedSamples, must_be_images) {
  const test::Numbers samples(100, true);
  try {
    DatasetService(samples, {0, 1}, {}, kInputs, {}, {.mirror = false, .shift = 1});
    ADD_FAILURE() << "two numbers are no image";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("the model's input 'x' is 1x2"));
  }
}

TEST_F(DatasetServiceTest, refuses_what_does_not_exist) {
  EXPECT_EQ(ask(ADZE_SPLIT_TRAIN, 2, 0, 4), ADZE_OUT_OF_RANGE);
  EXPECT_EQ(ask(ADZE_SPLIT_TRAIN, 4'000'000'000u, 0, 1), ADZE_OUT_OF_RANGE);
  EXPECT_EQ(ask(ADZE_SPLIT_TRAIN, 2, 0, ~std::uint64_t{0}), ADZE_OUT_OF_RANGE);
  EXPECT_EQ(ask(ADZE_SPLIT_TRAIN, 0, 0, 0), ADZE_INVALID_ARGUMENT);
  EXPECT_EQ(ask(2, 1, 0, 0), ADZE_UNIMPLEMENTED);
  EXPECT_EQ(table().batch(call.get(), 0, 1, 0, 0, nullptr), ADZE_INVALID_ARGUMENT);
  EXPECT_EQ(ask(ADZE_SPLIT_TRAIN, 4'000'000'000u, ~std::uint64_t{0}, 0), ADZE_OK);
  EXPECT_EQ(batch->sample_count, 7u);
}

TEST_F(DatasetServiceTest, a_damaged_sample_is_reported_when_its_batch_is_asked_for) {
  const std::vector<int> all = epoch_of(0, 1);
  samples.broken = all[1];
  ASSERT_EQ(ask(ADZE_SPLIT_TRAIN, 1, 0, 0), ADZE_OK) << "loading ahead must not fail this one";
  EXPECT_EQ(ask(ADZE_SPLIT_TRAIN, 1, 0, 1), ADZE_DATA_LOSS);
  EXPECT_THAT(call.refusal(), HasSubstr("damaged"));
  EXPECT_EQ(ask(ADZE_SPLIT_TRAIN, 1, 0, 2), ADZE_OK);
}

TEST(DatasetService, without_labels_shows_none_and_refuses_batches_beyond_memory) {
  const test::Numbers samples(100, false);
  std::vector<std::int64_t> all(100);
  const std::vector<InputSpec> huge = {{"x", DType::f32, {1, 1 << 14, 1 << 10}}};
  DatasetService service(samples, all, {}, huge);
  EXPECT_THROW(service.batch(0, ADZE_SPLIT_TRAIN, 64, 0, 0), Error);
  EXPECT_EQ(service.batch(0, ADZE_SPLIT_TRAIN, 2, 0, 0)->labels, nullptr);
  EXPECT_THROW(service.batch(0, ADZE_SPLIT_HELD_OUT, 2, 0, 0), Error);
}

}  // namespace
}  // namespace adze::host
