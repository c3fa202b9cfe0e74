// Resize in its modes, with the numbers of the ONNX specification's examples; products of computed
// matrices against their definition.
#include "plugins/tensor_exec/executable.hpp"
#include "tests/unit/tensor_exec/execute.hpp"

namespace adze::exec {
namespace {

using testing::Attributes;
using testing::execute;
using testing::GraphBuilder;
using testing::Random;

std::vector<float> resized(const testing::Shape& in, const testing::Shape& out,
                           const std::vector<float>& scales, const Attributes& attributes,
                           const std::vector<float>& x, const std::vector<float>& roi = {}) {
  GraphBuilder builder;
  const auto input = builder.input("x", in);
  const auto region =
      builder.constant("roi", testing::Shape{static_cast<std::int64_t>(roi.size())}, roi);
  std::vector<std::uint32_t> inputs{input, region};
  if (!scales.empty())
    inputs.push_back(builder.constant(
        "scales", testing::Shape{static_cast<std::int64_t>(scales.size())}, scales));
  builder.output(builder.node("Resize", inputs, out, attributes, 13));
  return execute(builder, {x}).front();
}

std::vector<float> counted(std::size_t count) {
  std::vector<float> x(count);
  std::iota(x.begin(), x.end(), 1.0f);
  return x;
}

void expect_resized(const std::vector<float>& got, const std::vector<float>& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i)
    EXPECT_NEAR(got[i], expected[i], 1e-4 * std::max(1.0f, std::abs(expected[i]))) << i;
}

TEST(Resize, gives_the_numbers_of_the_specification) {
  const std::string mode = "coordinate_transformation_mode";
  const Attributes cubic{{"mode", std::string("cubic")}}, linear{{"mode", std::string("linear")}};
  expect_resized(resized({1, 1, 4, 4}, {1, 1, 3, 3}, {1, 1, 0.8f, 0.8f}, cubic, counted(16)),
                 {1.47119141f, 2.78125f, 4.08251953f, 6.71142578f, 8.02148438f, 9.32275391f,
                  11.91650391f, 13.2265625f, 14.52783203f});
  Attributes outside = cubic;
  outside["cubic_coeff_a"] = -0.5;
  outside["exclude_outside"] = std::int64_t{1};
  expect_resized(resized({1, 1, 4, 4}, {1, 1, 3, 3}, {1, 1, 0.8f, 0.8f}, outside, counted(16)),
                 {1.36812675f, 2.6695014f, 4.0133367f, 6.57362535f, 7.875f, 9.2188353f,
                  11.94896657f, 13.25034122f, 14.59417652f});
  Attributes corners = linear;
  corners[mode] = std::string("align_corners");
  expect_resized(resized({1, 1, 2, 4}, {1, 1, 1, 2}, {1, 1, 0.6f, 0.6f}, corners, counted(8)),
                 {1, 3.142857f});
  expect_resized(
      resized({1, 1, 2, 2}, {1, 1, 4, 4}, {1, 1, 2, 2}, linear, counted(4)),
      {1, 1.25f, 1.75f, 2, 1.5f, 1.75f, 2.25f, 2.5f, 2.5f, 2.75f, 3.25f, 3.5f, 3, 3.25f, 3.75f, 4});
  Attributes crop = linear;
  crop[mode] = std::string("tf_crop_and_resize");
  crop["extrapolation_value"] = 10.0;
  expect_resized(resized({1, 1, 4, 4}, {1, 1, 3, 3}, {}, crop, counted(16),
                         {0, 0, 0.4f, 0.6f, 1, 1, 1.2f, 1.7f}),
                 {7.6000004f, 10, 10, 12.400001f, 10, 10, 10, 10, 10});
  expect_resized(resized({1, 1, 2, 4}, {1, 1, 1, 2}, {1, 1, 0.6f, 0.6f}, {}, counted(8)), {1, 3});
}

TEST(Resize, of_other_ranks_and_axes_equals_that_of_images) {
  const auto x = Random(20).numbers(2 * 3 * 5 * 7, -1, 1);
  for (const std::string kind : {"nearest", "linear"}) {
    const Attributes attributes{{"mode", kind}};
    const auto image = resized({6, 1, 5, 7}, {6, 1, 8, 4}, {}, attributes, x);
    expect_resized(resized({2, 3, 1, 5, 7}, {2, 3, 1, 8, 4}, {}, attributes, x), image);
    expect_resized(resized({6, 5, 7}, {6, 8, 4}, {}, attributes, x), image);
  }
}

TEST(Resize, refuses_what_does_not_fit) {
  const auto x = counted(16);
  EXPECT_THROW(resized({1, 1, 4, 4}, {1, 1, 8, 8}, {1, 1, 3, 3}, {}, x), Error);
  EXPECT_THROW(resized({1, 1, 4, 4}, {1, 1, 8, 8}, {1, 1, -2, 2}, {}, x), Error);
  EXPECT_THROW(resized({1, 1, 4, 4}, {1, 1, 8, 8}, {2, 2}, {}, x), Error);
  EXPECT_THROW(resized({1, 1, 4, 4}, {1, 8, 8}, {}, {}, x), Error);
  EXPECT_THROW(resized({1, 1, 4, 4}, {1, 1, 8, 8}, {}, {{"mode", std::string("best")}}, x), Error);
  EXPECT_THROW(resized({1, 1, 4, 4}, {1, 1, 8, 8}, {}, {{"antialias", std::int64_t{1}}}, x), Error);
}

TEST(MatMul, takes_vectors_and_stacks) {
  Random random(21);
  const auto run = [&](const testing::Shape& a, const testing::Shape& b, const testing::Shape& out,
                       const std::vector<float>& x, const std::vector<float>& y) {
    GraphBuilder builder;
    builder.output(builder.node("MatMul", {builder.input("a", a, -1), builder.input("b", b, -1)},
                                out, {}, 13, -1));
    return execute(builder, {x, y}).front();
  };
  const auto a = random.numbers(2 * 3 * 4, -1, 1), b = random.numbers(5 * 4 * 2, -1, 1);
  const auto stacks = run({2, 1, 3, 4}, {5, 4, 2}, {2, 5, 3, 2}, a, b);
  for (std::size_t i = 0; i < stacks.size(); ++i) {
    const std::size_t n = i % 2, m = i / 2 % 3, second = i / 6 % 5, first = i / 30;
    double sum = 0;
    for (std::size_t k = 0; k < 4; ++k)
      sum += static_cast<double>(a[(first * 3 + m) * 4 + k]) * b[(second * 4 + k) * 2 + n];
    EXPECT_NEAR(stacks[i], sum, 1e-5);
  }
  expect_resized(run({3}, {3}, {}, {1, 2, 3}, {4, 5, 6}), {32});
  expect_resized(run({2}, {2, 3}, {3}, {1, 2}, {1, 2, 3, 4, 5, 6}), {9, 12, 15});
  expect_resized(run({2, 2}, {2}, {2}, {1, 2, 3, 4}, {5, 6}), {17, 39});
  EXPECT_THROW(run({2, 3}, {2, 3}, {2, 3}, a, b), Error);
  expect_resized(run({2, 0}, {0, 2}, {2, 2}, {}, {}), {0, 0, 0, 0});
}

TEST(Gemm, takes_all_its_forms) {
  Random random(22);
  const auto x = random.numbers(4 * 3, -1, 1), y = random.numbers(5 * 4, -1, 1);
  const std::vector<float> column{1, 2, 3};
  GraphBuilder builder;
  const auto a = builder.input("a", {4, 3}, -1), b = builder.input("b", {5, 4}, -1);
  builder.output(builder.node(
      "Gemm", {a, b, builder.constant("c", {3, 1}, column)}, {3, 5},
      {{"transA", std::int64_t{1}}, {"transB", std::int64_t{1}}, {"alpha", 0.5}, {"beta", 2.0}}, 13,
      -1));
  const auto got = execute(builder, {x, y}).front();
  ASSERT_EQ(got.size(), 15u);
  for (std::size_t i = 0; i < 15; ++i) {
    double sum = 0;
    for (std::size_t k = 0; k < 4; ++k)
      sum += static_cast<double>(x[k * 3 + i / 5]) * y[i % 5 * 4 + k];
    EXPECT_NEAR(got[i], 0.5 * sum + 2 * column[i / 5], 1e-5);
  }
}

}  // namespace
}  // namespace adze::exec
