#include "host/pipeline/sensitivity.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "tests/unit/calibrate/graphs.hpp"

namespace adze::host {
namespace {

/// Rows of three numbers; the third never changes.
class Rows : public Dataset {
 public:
  std::int64_t size() const override { return 40; }
  bool has_labels() const override { return false; }
  std::int64_t label(std::int64_t) const override { return 0; }
  static std::vector<float> row(std::int64_t index) {
    std::mt19937_64 random(static_cast<std::uint64_t>(index));
    const auto number = [&] { return static_cast<float>(random() >> 40) * 0x1p-23f; };
    const float first = number(), second = number() + first;
    return {first, second, 5};
  }
  std::vector<Tensor> batch(std::span<const std::int64_t> indices) const override {
    std::vector<float> elements;
    for (const std::int64_t index : indices)
      for (const float x : row(index)) elements.push_back(x);
    return {Tensor(DType::f32, {static_cast<std::int64_t>(indices.size()), 3},
                   std::span<const float>(elements))};
  }
};

std::vector<Sensitivity> sensitivities_of(const Graph& graph, std::span<const double> levels) {
  const Rows rows;
  std::vector<std::int64_t> indices(40);
  for (std::size_t i = 0; i < 40; ++i) indices[i] = static_cast<std::int64_t>(i);
  const std::vector<std::uint32_t> nodes = {0};
  // The layer reads the model's input, so nothing has to run.
  const MakeRunner make_runner = [](const Graph&, const std::vector<std::string>&,
                                    std::uint32_t) -> std::unique_ptr<Runner> { return nullptr; };
  return calibrated_sensitivities(graph, nodes, levels,
                                  {.samples = rows, .indices = indices, .make_runner = make_runner},
                                  [](double) {});
}

/// Variance over the samples, summed over outputs, of x times this matrix [input][output].
double variance(const std::vector<std::vector<double>>& weight) {
  double sum = 0;
  for (std::size_t o = 0; o < weight[0].size(); ++o) {
    double mean = 0, square = 0;
    for (std::int64_t i = 0; i < 40; ++i) {
      const std::vector<float> x = Rows::row(i);
      double y = 0;
      for (std::size_t c = 0; c < 3; ++c) y += static_cast<double>(x[c]) * weight[c][o];
      mean += y / 40;
      square += y * y / 40;
    }
    sum += square - mean * mean;
  }
  return sum;
}

TEST(Sensitivity, calibrated_is_the_share_of_the_variance_that_leaves) {
  const Graph graph = test::one_node("MatMul", {1, 3}, {3, 2});
  const std::vector<float> w = to_f32(*graph.values[1].constant);
  const std::vector<double> levels = {0, 1.0 / 3, 0.5};
  const std::vector<Sensitivity> found = sensitivities_of(graph, levels);
  ASSERT_EQ(found[0].problem, "");
  EXPECT_EQ(found[0].errors[0], 0);
  // The input that never changes is what the bias makes up for: its two weights leave first.
  EXPECT_NEAR(found[0].errors[1], 0, 1e-6);

  std::vector<std::vector<double>> whole(3), gone(3, {0, 0});
  for (std::size_t c = 0; c < 3; ++c) whole[c] = {w[2 * c], w[2 * c + 1]};
  gone[2] = whole[2];
  // Of the others the one with the least magnitude times deviation follows.
  std::size_t least = 0;
  double score = 1e9;
  for (std::size_t i = 0; i < 4; ++i) {
    std::vector<std::vector<double>> input = {{0}, {0}, {0}};
    input[i / 2][0] = 1;
    const double own = std::abs(w[i]) * std::sqrt(variance(input));
    if (own < score) score = own, least = i;
  }
  gone[least / 2][least % 2] = w[least];
  EXPECT_NEAR(found[0].errors[2], variance(gone) / variance(whole), 1e-5);
}

TEST(Sensitivity, does_not_depend_on_how_the_weight_is_stored) {
  const Graph matmul = test::one_node("MatMul", {1, 3}, {3, 2});
  Graph gemm = test::one_node("Gemm", {1, 3}, {2, 3}, {{"transB", std::int64_t{1}}});
  const std::vector<float> w = to_f32(*matmul.values[1].constant);
  const std::vector<float> turned = {w[0], w[2], w[4], w[1], w[3], w[5]};
  gemm.values[1].constant = Tensor(DType::f32, {2, 3}, std::span<const float>(turned));
  const std::vector<double> levels = {0.5, 2.0 / 3, 0.84};
  EXPECT_EQ(sensitivities_of(matmul, levels)[0].errors, sensitivities_of(gemm, levels)[0].errors);
}

TEST(Sensitivity, a_layer_that_cannot_be_measured_says_why) {
  Graph graph = test::one_node("MatMul", {1, 3}, {3, 2});
  const std::vector<float> constant = {0, 0, 0, 0, 1, 1};  // of the input that never changes
  graph.values[1].constant = Tensor(DType::f32, {3, 2}, std::span<const float>(constant));
  const std::vector<double> levels = {0.5};
  EXPECT_NE(sensitivities_of(graph, levels)[0].problem, "");
  const std::vector<float> zeros(6, 0.0f);
  graph.values[1].constant = Tensor(DType::f32, {3, 2}, std::span<const float>(zeros));
  EXPECT_NE(data_free_sensitivity(graph, 0, levels).problem, "");
}

TEST(Sensitivity, data_free_is_the_share_of_squares_that_leaves) {
  Graph graph = test::one_node("MatMul", {1, 2}, {2, 2});
  const std::vector<float> w = {3, -1, 0, 2};
  graph.values[1].constant = Tensor(DType::f32, {2, 2}, std::span<const float>(w));
  const std::vector<double> levels = {0, 0.25, 0.5, 0.75};
  const Sensitivity found = data_free_sensitivity(graph, 0, levels);
  EXPECT_EQ(found.errors, (std::vector<double>{0, 0, 1.0 / 14, 5.0 / 14}));
}

}  // namespace
}  // namespace adze::host
