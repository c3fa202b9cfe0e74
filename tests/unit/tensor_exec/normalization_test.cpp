// Normalizations and activations against their definitions, in double.
#include "plugins/tensor_exec/executable.hpp"
#include "tests/unit/tensor_exec/execute.hpp"

namespace adze::exec {
namespace {

using testing::Attributes;
using testing::execute;
using testing::GraphBuilder;
using testing::Random;

void expect_close(const std::vector<float>& got, const std::vector<double>& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i)
    EXPECT_NEAR(got[i], expected[i], 2e-6 * std::max(1.0, std::abs(expected[i]))) << i;
}

std::vector<double> normalized(const std::vector<float>& x, std::size_t begin, std::size_t count,
                               double epsilon) {
  double mean = 0, variance = 0;
  for (std::size_t i = 0; i < count; ++i) mean += x[begin + i] / static_cast<double>(count);
  for (std::size_t i = 0; i < count; ++i)
    variance += std::pow(x[begin + i] - mean, 2) / static_cast<double>(count);
  std::vector<double> result;
  for (std::size_t i = 0; i < count; ++i)
    result.push_back((x[begin + i] - mean) / std::sqrt(variance + epsilon));
  return result;
}

TEST(LayerNormalization, follows_its_definition_with_any_axis) {
  Random random(5);
  const auto x = random.numbers(2 * 3 * 35, -3, 5);
  for (const std::int64_t axis : {-1, 1}) {
    const std::size_t width = axis == -1 ? 35 : 105;
    const testing::Shape row = axis == -1 ? testing::Shape{35} : testing::Shape{3, 35};
    const auto scale = random.numbers(static_cast<std::int64_t>(width), -1, 1);
    const auto bias = random.numbers(static_cast<std::int64_t>(width), -1, 1);
    std::vector<double> expected;
    for (std::size_t begin = 0; begin < x.size(); begin += width) {
      const auto part = normalized(x, begin, width, 1e-3);
      for (std::size_t i = 0; i < width; ++i) expected.push_back(part[i] * scale[i] + bias[i]);
    }
    GraphBuilder builder;
    builder.output(builder.node("LayerNormalization",
                                {builder.input("x", {2, 3, 35}), builder.constant("s", row, scale),
                                 builder.constant("b", row, bias)},
                                {2, 3, 35}, {{"axis", axis}, {"epsilon", 1e-3}}, 17));
    const auto got = execute(builder, {x}).front();
    expect_close(got, expected);
    EXPECT_EQ(execute(builder, {x}, {.threads = 3}).front(), got);
  }
}

TEST(GroupNormalization, covers_instances_and_both_forms_of_its_parameters) {
  Random random(6);
  const auto x = random.numbers(2 * 4 * 9, -3, 5);
  const std::vector<float> scale{1, -2, 0.5f, 3}, bias{0, 1, 2, 3};
  const auto run = [&](const std::string& op, const Attributes& attributes,
                       const std::vector<float>& s, const std::vector<float>& b) {
    GraphBuilder builder;
    const testing::Shape count{static_cast<std::int64_t>(s.size())};
    builder.output(builder.node(op,
                                {builder.input("x", {2, 4, 3, 3}), builder.constant("s", count, s),
                                 builder.constant("b", count, b)},
                                {2, 4, 3, 3}, attributes, 18));
    return execute(builder, {x}).front();
  };
  const auto expected = [&](std::size_t members, const std::vector<float>& s,
                            const std::vector<float>& b) {
    std::vector<double> result;
    for (std::size_t begin = 0; begin < x.size(); begin += members * 9) {
      const auto part = normalized(x, begin, members * 9, 1e-5);
      for (std::size_t i = 0; i < part.size(); ++i) {
        const std::size_t channel = (begin + i) / 9 % 4 * s.size() / 4;
        result.push_back(part[i] * s[channel] + b[channel]);
      }
    }
    return result;
  };
  expect_close(run("InstanceNormalization", {}, scale, bias), expected(1, scale, bias));
  const Attributes groups{{"num_groups", std::int64_t{2}}};
  expect_close(run("GroupNormalization", groups, scale, bias), expected(2, scale, bias));
  expect_close(run("GroupNormalization", groups, {1, -2}, {3, 4}), expected(2, {1, -2}, {3, 4}));
  EXPECT_THROW(run("GroupNormalization", {{"num_groups", std::int64_t{3}}}, scale, bias), Error);
  EXPECT_THROW(run("GroupNormalization", {{"num_groups", std::int64_t{0}}}, scale, bias), Error);
}

TEST(Lrn, sums_over_neighbouring_channels) {
  const auto x = Random(7).numbers(5 * 4, -2, 2);
  std::vector<double> expected;
  for (std::int64_t c = 0; c < 5; ++c)
    for (std::int64_t i = 0; i < 4; ++i) {
      double sum = 0;
      for (std::int64_t k = std::max<std::int64_t>(c - 1, 0); k <= std::min<std::int64_t>(c + 2, 4);
           ++k)
        sum += std::pow(x[static_cast<std::size_t>(k * 4 + i)], 2);
      expected.push_back(x[static_cast<std::size_t>(c * 4 + i)] / std::pow(2 + 0.1 / 4 * sum, 0.5));
    }
  GraphBuilder builder;
  builder.output(
      builder.node("LRN", {builder.input("x", {1, 5, 2, 2})}, {1, 5, 2, 2},
                   {{"size", std::int64_t{4}}, {"alpha", 0.1}, {"beta", 0.5}, {"bias", 2.0}}));
  expect_close(execute(builder, {x}).front(), expected);
}

TEST(Softmax, and_its_relatives_run_along_any_axis) {
  const auto x = Random(8).numbers(2 * 3 * 4, -3, 3);
  const auto run = [&](const std::string& op, std::int64_t axis, std::uint32_t version) {
    GraphBuilder builder;
    builder.output(
        builder.node(op, {builder.input("x", {2, 3, 4})}, {2, 3, 4}, {{"axis", axis}}, version));
    return execute(builder, {x}).front();
  };
  const auto probabilities = run("Softmax", 1, 13), logarithms = run("LogSoftmax", 1, 13),
             marks = run("Hardmax", 1, 13);
  for (std::size_t n = 0; n < 2; ++n)
    for (std::size_t i = 0; i < 4; ++i) {
      double sum = 0;
      float largest = x[n * 12 + i];
      for (std::size_t c = 0; c < 3; ++c) {
        sum += std::exp(static_cast<double>(x[n * 12 + c * 4 + i]));
        largest = std::max(largest, x[n * 12 + c * 4 + i]);
      }
      for (std::size_t c = 0; c < 3; ++c) {
        const std::size_t at = n * 12 + c * 4 + i;
        EXPECT_NEAR(probabilities[at], std::exp(static_cast<double>(x[at])) / sum, 1e-6);
        EXPECT_NEAR(logarithms[at], x[at] - std::log(sum), 2e-6);
        EXPECT_EQ(marks[at], x[at] == largest ? 1 : 0);
      }
    }
  // Before opset 13 all axes from the given one on are one.
  const auto flat = run("Softmax", 1, 11);
  EXPECT_NEAR(std::accumulate(flat.begin(), flat.begin() + 12, 0.0), 1, 1e-6);
  EXPECT_THROW(run("Softmax", 3, 13), Error);
}

TEST(Activation, follows_its_definition) {
  const std::vector<float> x{-90, -7.5f, -1, -0.25f, 0, 0.25f, 1, 2.5f, 90};
  using Reference = double (*)(double);
  struct Case {
    const char* op;
    Attributes attributes;
    Reference reference;
  };
  const std::vector<Case> cases = {
      {"Celu", {{"alpha", 2.0}}, [](double v) { return v < 0 ? 2 * std::expm1(v / 2) : v; }},
      {"Erf", {}, [](double v) { return std::erf(v); }},
      {"Gelu", {}, [](double v) { return 0.5 * v * (1 + std::erf(v / std::sqrt(2.0))); }},
      {"Gelu",
       {{"approximate", std::string("tanh")}},
       [](double v) {
         return 0.5 * v * (1 + std::tanh(std::sqrt(2 / M_PI) * (v + 0.044715 * v * v * v)));
       }},
      {"Mish", {}, [](double v) { return v * std::tanh(v > 50 ? v : std::log1p(std::exp(v))); }},
      {"Selu",
       {{"alpha", 2.0}, {"gamma", 3.0}},
       [](double v) { return v > 0 ? 3 * v : 6 * std::expm1(v); }},
      {"Softplus", {}, [](double v) { return v > 50 ? v : std::log1p(std::exp(v)); }},
      {"Softsign", {}, [](double v) { return v / (1 + std::abs(v)); }},
      {"ThresholdedRelu", {{"alpha", 0.5}}, [](double v) { return v > 0.5 ? v : 0; }},
  };
  for (const Case& one : cases) {
    GraphBuilder builder;
    builder.output(builder.node(one.op, {builder.input("x", {1, 9})}, {1, 9}, one.attributes));
    std::vector<double> expected;
    for (const float v : x) expected.push_back(one.reference(v));
    SCOPED_TRACE(one.op);
    expect_close(execute(builder, {x}).front(), expected);
  }
}

TEST(PRelu, broadcasts_its_slope) {
  const auto x = Random(9).numbers(2 * 3 * 4, -1, 1);
  const auto run = [&](const testing::Shape& shape, const std::vector<float>& slope) {
    GraphBuilder builder;
    builder.output(
        builder.node("PRelu", {builder.input("x", {2, 3, 4}), builder.constant("s", shape, slope)},
                     {2, 3, 4}, {}, 16));
    return execute(builder, {x}).front();
  };
  const auto expect = [&](const std::vector<float>& got, const auto& slope) {
    for (std::size_t i = 0; i < x.size(); ++i) EXPECT_EQ(got[i], x[i] < 0 ? x[i] * slope(i) : x[i]);
  };
  const std::vector<float> four{1, 2, 3, 4}, three{5, 6, 7}, eight{1, 2, 3, 4, 5, 6, 7, 8};
  expect(run({1}, {3}), [](std::size_t) { return 3.0f; });
  expect(run({4}, four), [&](std::size_t i) { return four[i % 4]; });
  expect(run({3, 1}, three), [&](std::size_t i) { return three[i / 4 % 3]; });
  expect(run({2, 1, 4}, eight), [&](std::size_t i) { return eight[i / 12 * 4 + i % 4]; });
  // One a channel, as before opset 7.
  expect(run({3}, three), [&](std::size_t i) { return three[i / 4 % 3]; });
  EXPECT_THROW(run({2}, {1, 2}), Error);
}

TEST(AxesNormalization, follows_its_definition) {
  const auto x = Random(10).numbers(2 * 3 * 4, -1, 1);
  GraphBuilder mean, norm;
  mean.output(mean.node("MeanVarianceNormalization", {mean.input("x", {2, 3, 4}, -1)}, {2, 3, 4},
                        {{"axes", std::vector<std::int64_t>{0, 2}}}, 13, -1));
  norm.output(norm.node("LpNormalization", {norm.input("x", {2, 3, 4}, -1)}, {2, 3, 4},
                        {{"axis", std::int64_t{1}}}, 1, -1));
  const auto centred = execute(mean, {x}).front(), unit = execute(norm, {x}).front();
  for (std::size_t c = 0; c < 3; ++c) {
    std::vector<float> members;
    for (const std::size_t n : {0u, 1u})
      for (std::size_t i = 0; i < 4; ++i) members.push_back(x[n * 12 + c * 4 + i]);
    const auto expected = normalized(members, 0, 8, 0);
    for (std::size_t i = 0; i < 8; ++i)
      EXPECT_NEAR(centred[i / 4 * 12 + c * 4 + i % 4], expected[i], 1e-5);
  }
  for (std::size_t i = 0; i < x.size(); ++i) {
    double sum = 0;
    for (std::size_t c = 0; c < 3; ++c) sum += std::pow(x[i / 12 * 12 + c * 4 + i % 4], 2);
    EXPECT_NEAR(unit[i], x[i] / std::sqrt(sum), 1e-6);
  }
}

}  // namespace
}  // namespace adze::exec
