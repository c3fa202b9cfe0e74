#include <cmath>
#include <limits>

#include "host/base/error.hpp"
#include "host/compare/compare.hpp"

namespace adze::host {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

Tensor row_major(Shape shape, std::vector<float> elements) {
  return {DType::f32, std::move(shape), std::span<const float>(elements)};
}

OutputComparison compare(const Tensor& a, const Tensor& b) {
  Comparison comparison;
  comparison.add("out", a, b);
  return comparison.results().at(0);
}

TEST(Comparison, of_a_tensor_with_itself_is_identical) {
  const Tensor a = row_major({2, 2}, {1, 2, 3, -4});
  const OutputComparison result = compare(a, a);
  EXPECT_TRUE(result.identical());
  EXPECT_EQ(result.sqnr_db, std::nullopt);
  EXPECT_DOUBLE_EQ(result.cosine.value(), 1);
  EXPECT_EQ(result.top1_agreement, 1);
  EXPECT_EQ(result.elements, 4);
}

TEST(Comparison, computes_the_figures_by_their_definition) {
  const OutputComparison result =
      compare(row_major({2, 3}, {1, 2, 3, 4, 5, 6}), row_major({2, 3}, {1, 2, 2, 7, 5, 6}));
  EXPECT_NEAR(result.sqnr_db.value(), 10 * std::log10(91.0 / 10), 1e-12);
  EXPECT_NEAR(result.cosine.value(), (1 + 4 + 6 + 28 + 25 + 36) / std::sqrt(91.0 * 119), 1e-12);
  EXPECT_EQ(result.max_abs, 3);
  EXPECT_NEAR(result.mismatch_share, 2.0 / 6, 1e-15);
  // Row one ties at 2 and takes the lowest index (1, not 2); row two moves from 2 to 0.
  EXPECT_EQ(result.top1_agreement, 0);
}

TEST(Comparison, adds_up_batches_as_if_they_were_one) {
  Comparison parts;
  parts.add("out", row_major({1, 2}, {1, 2}), row_major({1, 2}, {1, 3}));
  parts.add("out", row_major({1, 2}, {5, 4}), row_major({1, 2}, {4, 5}));
  const OutputComparison whole =
      compare(row_major({2, 2}, {1, 2, 5, 4}), row_major({2, 2}, {1, 3, 4, 5}));
  const OutputComparison summed = parts.results().at(0);
  EXPECT_EQ(summed.sqnr_db, whole.sqnr_db);
  EXPECT_EQ(summed.cosine, whole.cosine);
  EXPECT_EQ(summed.top1_agreement, 0.5);
  EXPECT_EQ(summed.elements, 4);
}

TEST(Comparison, relates_the_largest_difference_to_the_largest_magnitude) {
  EXPECT_DOUBLE_EQ(compare(row_major({3}, {1, -8, 3}), row_major({3}, {1, -8, 5})).max_rel.value(),
                   2.0 / 8);
  EXPECT_EQ(compare(row_major({2}, {0, 0}), row_major({2}, {0, 0})).max_rel, 0);
  EXPECT_EQ(compare(row_major({2}, {0, 0}), row_major({2}, {0, 1})).max_rel, std::nullopt);
}

TEST(Comparison, counts_differences_in_steps_of_a_quantization) {
  Comparison comparison;
  const Quant quant{.scale = {0.5f}};
  comparison.add("out", row_major({1, 4}, {0, 1, 2, 3}), row_major({1, 4}, {0, 1.5, 2, 2}), quant);
  const auto steps = comparison.results().at(0).steps.value();
  EXPECT_EQ(steps.max, 2);
  EXPECT_EQ(steps.differing_share, 0.5);
  EXPECT_EQ(steps.beyond_share, 0.25);
  EXPECT_FALSE(compare(row_major({1}, {0}), row_major({1}, {1})).steps);
}

TEST(Comparison, takes_the_step_of_each_channel) {
  Comparison comparison;
  const Quant quant{.axis = 1, .scale = {1, 4}};
  comparison.add("out", row_major({1, 2, 2}, {0, 0, 0, 0}), row_major({1, 2, 2}, {1, 0, 4, 8}),
                 quant);
  const auto steps = comparison.results().at(0).steps.value();
  EXPECT_EQ(steps.max, 2);
  EXPECT_EQ(steps.differing_share, 0.75);
}

TEST(Comparison, counts_a_nan_that_a_later_number_would_hide) {
  const OutputComparison result =
      compare(row_major({1, 3}, {kNaN, 1, 2}), row_major({1, 3}, {0, 1, 2}));
  EXPECT_EQ(result.nan_count, 1);
  EXPECT_FALSE(result.identical());
  EXPECT_EQ(result.max_abs, 0);
  EXPECT_EQ(result.top1_agreement, 0);
}

TEST(Comparison, is_not_identical_when_both_sides_are_infinite) {
  const Tensor a = row_major({2}, {kInfinity, 1});
  const OutputComparison result = compare(a, a);
  EXPECT_EQ(result.nan_count, 1);
  EXPECT_EQ(result.mismatch_share, 0);
  EXPECT_FALSE(result.identical());
}

TEST(Comparison, says_that_figures_of_zero_tensors_are_undefined) {
  const OutputComparison result = compare(row_major({3}, {0, 0, 0}), row_major({3}, {0, 0, 1}));
  EXPECT_EQ(result.sqnr_db, std::nullopt);
  EXPECT_EQ(result.cosine, std::nullopt);
  EXPECT_EQ(result.top1_agreement, std::nullopt);
  EXPECT_EQ(result.max_abs, 1);
}

TEST(Comparison, tells_large_integers_apart) {
  const std::vector<std::int64_t> a{(std::int64_t{1} << 40) + 1}, b{std::int64_t{1} << 40};
  const OutputComparison result =
      compare(Tensor(DType::i64, {1}, std::span(a)), Tensor(DType::i64, {1}, std::span(b)));
  EXPECT_EQ(result.max_abs, 1);
}

TEST(Comparison, refuses_shapes_that_differ_and_names_the_output) {
  Comparison comparison;
  try {
    comparison.add("scores", row_major({2}, {1, 2}), row_major({1, 2}, {1, 2}));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code, ADZE_INVALID_ARGUMENT);
    EXPECT_THAT(error.what(), testing::HasSubstr("'scores'"));
  }
}

TEST(Comparison, fails_when_nothing_was_compared) {
  Comparison nothing, empty;
  EXPECT_THROW(nothing.results(), Error);
  empty.add("out", row_major({0, 3}, {}), row_major({0, 3}, {}));
  EXPECT_THROW(empty.results(), Error);
}

TEST(Comparison, keeps_outputs_in_the_order_they_came) {
  Comparison comparison;
  const Tensor one = row_major({1}, {1});
  for (const char* name : {"z", "a", "z"}) comparison.add(name, one, one);
  const auto results = comparison.results();
  ASSERT_EQ(results.size(), 2);
  EXPECT_EQ(results[0].name, "z");
  EXPECT_EQ(results[0].elements, 2);
  EXPECT_EQ(results[1].name, "a");
}

}  // namespace
}  // namespace adze::host
