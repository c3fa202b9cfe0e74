#include "host/evaluate/evaluate.hpp"

#include <cmath>
#include <limits>

#include "host/base/error.hpp"

namespace adze::host {
namespace {

using Rows = std::vector<std::vector<float>>;

// Samples are their own index, so that a runner can look its answer up.
class IndexDataset : public Dataset {
 public:
  explicit IndexDataset(std::vector<std::int64_t> labels, std::int64_t size = 0)
      : labels_(std::move(labels)),
        size_(labels_.empty() ? size : static_cast<std::int64_t>(labels_.size())) {}
  std::int64_t size() const override { return size_; }
  bool has_labels() const override { return !labels_.empty(); }
  std::int64_t label(std::int64_t index) const override {
    return labels_.at(static_cast<std::size_t>(index));
  }
  std::vector<Tensor> batch(std::span<const std::int64_t> indices) const override {
    return {Tensor(DType::i64, {static_cast<std::int64_t>(indices.size()), 1}, indices)};
  }

 private:
  std::vector<std::int64_t> labels_;
  std::int64_t size_;
};

class TableRunner : public Runner {
 public:
  explicit TableRunner(Rows rows, float factor = 1) : rows_(std::move(rows)), factor_(factor) {}
  std::string name() const override { return "table:t"; }
  std::vector<NamedTensor> run(std::span<const Tensor> inputs) override {
    batches.push_back(inputs[0].shape()[0]);
    std::vector<float> out;
    for (const std::int64_t index : inputs[0].as<std::int64_t>())
      for (const float x : rows_.at(static_cast<std::size_t>(index))) out.push_back(x * factor_);
    const auto width = static_cast<std::int64_t>(rows_[0].size());
    return {
        {"scores", Tensor(DType::f32, {inputs[0].shape()[0], width}, std::span<const float>(out))}};
  }
  std::vector<ProfileRow> profile() override { return {}; }

  std::vector<std::int64_t> batches;

 private:
  Rows rows_;
  float factor_;
};

adze_status code_of(const std::function<void()>& act, const std::string& text = "") {
  try {
    act();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr(text));
    return error.code;
  }
  return ADZE_OK;
}

TEST(Evaluate, counts_top1_and_gives_ties_to_the_lowest_index) {
  TableRunner runner({{1, 3, 2}, {5, 5, 1}, {0, 1, 1}, {0, 0, 9}});
  const Evaluation result = evaluate(runner, IndexDataset({1, 0, 2, 2}), "top1");
  EXPECT_EQ(result.value, 0.75);
  EXPECT_EQ(result.predictions, (std::vector<std::int64_t>{1, 0, 1, 2}));
  EXPECT_EQ(result.samples, 4);
}

TEST(Evaluate, counts_top5_with_ties_to_the_lowest_index) {
  // Label 5 is beaten by five ties of lower index in the first row, by four scores in the second.
  TableRunner runner({{1, 1, 1, 1, 1, 1, 0}, {9, 8, 7, 6, 0, 1, 0}});
  EXPECT_EQ(evaluate(runner, IndexDataset({5, 5}), "top5").value, 0.5);
}

TEST(Evaluate, cuts_the_samples_into_batches_up_to_the_limit) {
  TableRunner runner(Rows(10, {0, 1}));
  std::vector<double> fractions;
  const Evaluation result =
      evaluate(runner, IndexDataset(std::vector<std::int64_t>(10, 1)), "top1", 7, nullptr, 3,
               [&](double fraction) { fractions.push_back(fraction); });
  EXPECT_EQ(runner.batches, (std::vector<std::int64_t>{3, 3, 1}));
  EXPECT_EQ(result.samples, 7);
  EXPECT_EQ(fractions.back(), 1.0);
}

TEST(Evaluate, measures_the_relative_error_against_the_reference) {
  TableRunner reference({{3, 4}, {6, 8}}), runner({{3, 4}, {6, 8}}, 1.5f);
  EXPECT_NEAR(evaluate(runner, IndexDataset({}, 2), "output_error", 0, &reference, 1).value, 0.5,
              1e-12);
  EXPECT_EQ(evaluate(reference, IndexDataset({}, 2), "output_error", 0, &reference).value, 0);
}

TEST(Evaluate, refuses_nan_and_infinity_and_names_output_and_sample) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), -INFINITY}) {
    TableRunner runner({{0, 1}, {0, 1}, {bad, 1}});
    EXPECT_EQ(code_of(
                  [&] {
                    evaluate(runner, IndexDataset({1, 1, 1}), "top1", 0, nullptr, 2);
                  },
                  "'scores' of sample 2"),
              ADZE_DATA_LOSS);
  }
}

TEST(Evaluate, refuses_a_label_beyond_the_classes) {
  TableRunner runner({{0, 1}, {0, 1}});
  EXPECT_EQ(code_of(
                [&] {
                  evaluate(runner, IndexDataset({1, 2}), "top1");
                },
                "sample 1 has label 2"),
            ADZE_INVALID_ARGUMENT);
  EXPECT_EQ(code_of([&] {
              evaluate(runner, IndexDataset({1, -1}), "top5");
            }),
            ADZE_INVALID_ARGUMENT);
}

TEST(Evaluate, refuses_a_metric_without_what_it_needs) {
  TableRunner runner({{0, 1}});
  EXPECT_EQ(code_of([&] { evaluate(runner, IndexDataset({}, 1), "top1"); }, "labels"),
            ADZE_INVALID_ARGUMENT);
  EXPECT_EQ(code_of([&] { evaluate(runner, IndexDataset({0}), "output_error"); }, "reference"),
            ADZE_INVALID_ARGUMENT);
  EXPECT_EQ(code_of([&] { evaluate(runner, IndexDataset({0}), "map"); }, "top1, top5"),
            ADZE_INVALID_ARGUMENT);
}

TEST(Evaluate, cannot_divide_by_a_reference_that_is_zero) {
  TableRunner zero({{0, 0}}), one({{1, 1}});
  EXPECT_EQ(code_of([&] { evaluate(one, IndexDataset({}, 1), "output_error", 0, &zero); }),
            ADZE_FAILED_PRECONDITION);
}

TEST(Metric, defaults_to_top1_with_labels_and_output_error_without) {
  EXPECT_EQ(metric_of({}, IndexDataset({1})), "top1");
  EXPECT_EQ(metric_of({}, IndexDataset({}, 3)), "output_error");
  DataSpec spec;
  spec.metric = "top5";
  EXPECT_EQ(metric_of(spec, IndexDataset({1})), "top5");
  EXPECT_THROW(metric_of(spec, IndexDataset({}, 3)), Error);
}

TEST(Metric, knows_its_direction) {
  EXPECT_TRUE(higher_is_better("top1"));
  EXPECT_FALSE(higher_is_better("output_error"));
}

}  // namespace
}  // namespace adze::host
