// Operators with integer inputs or results. Integers come from QuantizeLinear and are read by
// DequantizeLinear, as the test data are floats.
#include "plugins/tensor_exec/executable.hpp"
#include "tests/unit/tensor_exec/execute.hpp"

namespace adze::exec {
namespace {

using testing::Attributes;
using testing::execute;
using testing::GraphBuilder;
using testing::Random;
using Ints = std::vector<std::int64_t>;

/// A graph without a batch whose values may be integers.
struct IntegerGraph {
  GraphBuilder builder;

  std::uint32_t floats(const std::vector<float>& elements, const testing::Shape& shape = {}) {
    return builder.constant("c" + std::to_string(count++), shape, elements);
  }
  std::uint32_t node(const std::string& op, const std::vector<std::uint32_t>& inputs,
                     const testing::Shape& shape, const Attributes& attributes, std::uint8_t code,
                     std::uint8_t bits) {
    const std::uint32_t value = builder.node(op, inputs, shape, attributes, 13, -1);
    builder.value(value).code = code;
    builder.value(value).bits = bits;
    return value;
  }
  /// x as integers: steps of 1.
  std::uint32_t integers(std::uint32_t x, const testing::Shape& shape, std::uint8_t code,
                         std::uint8_t bits = 8) {
    const std::uint32_t zero =
        node("QuantizeLinear", {floats({0}), floats({1})}, {}, {}, code, bits);
    return node("QuantizeLinear", {x, floats({1}), zero}, shape, {}, code, bits);
  }
  std::uint32_t zero_point(float value, std::uint8_t code) {
    return integers(floats({value}), {}, code);
  }
  void read(std::uint32_t value, const testing::Shape& shape) {
    builder.output(builder.node("DequantizeLinear", {value, floats({1})}, shape, {}, 13, -1));
  }
  int count = 0;
};

std::vector<float> whole_numbers(std::uint32_t seed, std::int64_t count, int low, int high) {
  Random random(seed);
  std::vector<float> result;
  for (std::int64_t i = 0; i < count; ++i)
    result.push_back(static_cast<float>(random.integer(low, high)));
  return result;
}

TEST(QuantizeLinear, rounds_half_to_even_and_saturates_along_an_axis) {
  IntegerGraph graph;
  const auto x = graph.builder.input("x", {2, 4}, -1);
  const auto scale = graph.floats({1, 2}, {2});
  const auto zero = graph.node("QuantizeLinear", {graph.floats({3, -1}, {2}), graph.floats({1})},
                               {2}, {}, ADZE_INT, 8);
  const auto q = graph.node("QuantizeLinear", {x, scale, zero}, {2, 4}, {{"axis", std::int64_t{0}}},
                            ADZE_INT, 8);
  graph.read(q, {2, 4});
  graph.builder.output(graph.builder.node("DequantizeLinear", {q, scale, zero}, {2, 4},
                                          {{"axis", std::int64_t{0}}}, 13, -1));
  const auto got = execute(graph.builder, {{0.5f, 1.5f, 500, -500, 1, 3, 5, 1e30f}});
  EXPECT_EQ(got[0], (std::vector<float>{3, 5, 127, -128, -1, 1, 1, 127}));
  EXPECT_EQ(got[1], (std::vector<float>{0, 2, 124, -131, 0, 4, 4, 256}));
}

TEST(DynamicQuantizeLinear, finds_the_range) {
  IntegerGraph graph;
  const auto x = graph.builder.input("x", {6}, -1);
  const auto y = graph.node("DynamicQuantizeLinear", {x}, {6}, {}, ADZE_UINT, 8);
  const auto scale = graph.builder.another_output({}, ADZE_FLOAT, 32);
  const auto zero = graph.builder.another_output({}, ADZE_UINT, 8);
  graph.read(y, {6});
  graph.builder.output(scale);
  graph.read(zero, {});
  // Numbers of the ONNX specification's example.
  const auto got = execute(graph.builder, {{0, 2, -3, -2.5f, 1.34f, 0.5f}});
  EXPECT_EQ(got[0], (std::vector<float>{153, 255, 0, 26, 221, 179}));
  EXPECT_NEAR(got[1].front(), 0.0196078438, 1e-8);
  EXPECT_EQ(got[2].front(), 153);
}

TEST(ConvInteger, equals_the_convolution_of_shifted_floats) {
  for (const auto& [x_code, w_code] : {std::pair{ADZE_UINT, ADZE_INT}, {ADZE_INT, ADZE_UINT}}) {
    const bool plain = x_code == ADZE_UINT;
    const auto x = whole_numbers(1, 2 * 4 * 25, plain ? 0 : -128, plain ? 255 : 127);
    const auto w = whole_numbers(2, 6 * 2 * 9, plain ? -128 : 0, plain ? 127 : 255);
    const float x_zero = 7, w_zero = 9;
    const Attributes attributes{{"group", std::int64_t{2}}, {"pads", Ints{1, 0, 1, 0}}};
    IntegerGraph graph;
    const auto qx =
        graph.integers(graph.builder.input("x", {2, 4, 5, 5}, -1), {2, 4, 5, 5}, x_code);
    const auto qw = graph.integers(graph.floats(w, {6, 2, 3, 3}), {6, 2, 3, 3}, w_code);
    graph.read(
        graph.node("ConvInteger",
                   {qx, qw, graph.zero_point(x_zero, x_code), graph.zero_point(w_zero, w_code)},
                   {2, 6, 5, 3}, attributes, ADZE_INT, 32),
        {2, 6, 5, 3});
    auto shifted_x = x, shifted_w = w;
    for (float& element : shifted_x) element -= x_zero;
    for (float& element : shifted_w) element -= w_zero;
    GraphBuilder floats;
    const auto input = floats.input("x", {2, 4, 5, 5}, -1);
    floats.output(floats.node("Conv", {input, floats.constant("w", {6, 2, 3, 3}, shifted_w)},
                              {2, 6, 5, 3}, attributes, 13, -1));
    // Sums of fewer than 2^24 are exact in floats, too.
    const auto expected = execute(floats, {shifted_x});
    EXPECT_EQ(execute(graph.builder, {x}), expected);
    EXPECT_EQ(execute(graph.builder, {x}, {.threads = 3}), expected);
  }
}

TEST(QLinearConv, scales_by_channel_and_adds_the_bias) {
  IntegerGraph graph;
  const auto x =
      graph.integers(graph.builder.input("x", {1, 1, 1, 3}, -1), {1, 1, 1, 3}, ADZE_UINT);
  const auto w = graph.integers(graph.floats({1, -2}, {2, 1, 1, 1}), {2, 1, 1, 1}, ADZE_INT);
  const auto bias = graph.integers(graph.floats({10, 100}, {2}), {2}, ADZE_INT, 32);
  const auto y = graph.node(
      "QLinearConv",
      {x, graph.floats({0.5f}), graph.zero_point(10, ADZE_UINT), w, graph.floats({0.25f, 2}, {2}),
       graph.zero_point(0, ADZE_INT), graph.floats({0.5f}), graph.zero_point(100, ADZE_UINT), bias},
      {1, 2, 1, 3}, {}, ADZE_UINT, 8);
  graph.read(y, {1, 2, 1, 3});
  // (x - 10) * w + bias, times 0.25 or 2, plus 100: 2.5 rounds to 2, 7.5 to 8.
  EXPECT_EQ(execute(graph.builder, {{10, 30, 255}}).front(),
            (std::vector<float>{102, 108, 164, 255, 220, 0}));
}

TEST(MatMulInteger, equals_the_product_of_shifted_floats) {
  const auto a = whole_numbers(3, 2 * 3 * 5, 0, 255), b = whole_numbers(4, 5 * 4, -128, 127);
  const std::vector<float> columns{1, -2, 3, -4};
  IntegerGraph graph;
  const auto qa = graph.integers(graph.builder.input("a", {2, 3, 5}, -1), {2, 3, 5}, ADZE_UINT);
  const auto qb = graph.integers(graph.floats(b, {5, 4}), {5, 4}, ADZE_INT);
  const auto zeros = graph.integers(graph.floats(columns, {4}), {4}, ADZE_INT);
  graph.read(graph.node("MatMulInteger", {qa, qb, graph.zero_point(12, ADZE_UINT), zeros},
                        {2, 3, 4}, {}, ADZE_INT, 32),
             {2, 3, 4});
  graph.read(
      graph.node("QLinearMatMul",
                 {qa, graph.floats({0.5f}), graph.zero_point(12, ADZE_UINT), qb,
                  graph.floats({0.25f}), zeros, graph.floats({64}), graph.zero_point(-3, ADZE_INT)},
                 {2, 3, 4}, {}, ADZE_INT, 8),
      {2, 3, 4});
  const auto got = execute(graph.builder, {a});
  for (std::size_t i = 0; i < 24; ++i) {
    double sum = 0;
    for (std::size_t k = 0; k < 5; ++k)
      sum += (static_cast<double>(a[i / 4 * 5 + k]) - 12) *
             (static_cast<double>(b[k * 4 + i % 4]) - columns[i % 4]);
    EXPECT_EQ(got[0][i], sum);
    EXPECT_EQ(got[1][i], std::clamp(std::nearbyint(sum * 0.5 * 0.25 / 64) - 3, -128.0, 127.0));
  }
}

TEST(TopK, takes_the_first_of_equals) {
  const auto run = [](std::int64_t largest, const std::vector<float>& x) {
    IntegerGraph graph;
    const auto input = graph.builder.input("x", {2, 3, 2}, -1);
    const auto k = graph.builder.constant("k", Ints{2});
    graph.builder.output(graph.builder.node(
        "TopK", {input, k}, {2, 2, 2}, {{"axis", std::int64_t{1}}, {"largest", largest}}, 11, -1));
    graph.read(graph.builder.another_output({2, 2, 2}, ADZE_INT, 64), {2, 2, 2});
    return execute(graph.builder, {x});
  };
  const std::vector<float> x{1, 5, 3, 5, 3, 4, -1, 0, -2, std::nanf(""), -3, 7};
  const auto largest = run(1, x), smallest = run(0, x);
  EXPECT_EQ(largest[1], (std::vector<float>{1, 0, 2, 1, 0, 1, 1, 2}));
  EXPECT_EQ(smallest[1], (std::vector<float>{0, 2, 1, 0, 2, 0, 1, 2}));
  EXPECT_EQ(smallest[0], (std::vector<float>{1, 4, 3, 5, -3, 0, -2, 7}));
}

TEST(MaxPool, says_where_its_elements_were_and_MaxUnpool_puts_them_back) {
  const auto x = Random(5).numbers(2 * 3 * 4 * 6, 1, 2);
  IntegerGraph graph;
  const Attributes window{{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}};
  const auto pooled = graph.builder.node("MaxPool", {graph.builder.input("x", {2, 3, 4, 6}, -1)},
                                         {2, 3, 2, 3}, window, 12, -1);
  const auto places = graph.builder.another_output({2, 3, 2, 3}, ADZE_INT, 64);
  graph.builder.output(
      graph.builder.node("MaxUnpool", {pooled, places}, {2, 3, 4, 6}, window, 11, -1));
  const auto got = execute(graph.builder, {x}).front();
  ASSERT_EQ(got.size(), x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::size_t corner = i / 12 * 12 + i % 6 / 2 * 2;
    const float largest =
        std::max(std::max(x[corner], x[corner + 1]), std::max(x[corner + 6], x[corner + 7]));
    EXPECT_EQ(got[i], x[i] == largest ? x[i] : 0) << i;
  }
}

TEST(NonMaxSuppression, keeps_to_the_number_that_is_declared) {
  const std::vector<float> boxes{0, 0, 1, 1, 0, 0.1f, 1, 1.1f, 0, 10, 1, 11};
  const auto run = [&](std::int64_t declared) {
    IntegerGraph graph;
    const auto given = graph.builder.input("boxes", {1, 3, 4}, -1),
               scores = graph.builder.input("scores", {1, 1, 3}, -1);
    const auto selected = graph.node(
        "NonMaxSuppression",
        {given, scores, graph.builder.constant("limit", Ints{3}), graph.floats({0.5f}, {1})},
        {declared, 3}, {}, ADZE_INT, 64);
    graph.read(selected, {declared, 3});
    return execute(graph.builder, {boxes, {0.7f, 0.9f, 0.8f}}).front();
  };
  EXPECT_EQ(run(2), (std::vector<float>{0, 0, 1, 0, 0, 2}));
  EXPECT_THROW(run(3), Error);
}

TEST(RoiAlign, averages_samples_of_its_cells) {
  std::vector<float> x(16);
  for (std::size_t i = 0; i < 16; ++i) x[i] = static_cast<float>(i);  // a plane: 4 y + x
  const auto run = [&](float image) {
    IntegerGraph graph;
    const auto input = graph.builder.input("x", {1, 1, 4, 4}, -1);
    const auto images = graph.integers(graph.floats({image}, {1}), {1}, ADZE_INT, 64);
    graph.builder.output(graph.builder.node(
        "RoiAlign", {input, graph.floats({0.5f, 0.5f, 2.5f, 2.5f}, {1, 4}), images}, {1, 1, 2, 2},
        {{"output_height", std::int64_t{2}},
         {"output_width", std::int64_t{2}},
         {"sampling_ratio", std::int64_t{2}}},
        16, -1));
    return execute(graph.builder, {x}).front();
  };
  // Means of a plane are its values at the centres of the cells, 0.5 and 1.5 elements in.
  const auto got = run(0);
  for (std::size_t i = 0; i < 4; ++i)
    EXPECT_NEAR(got[i], 4 * (0.5 + static_cast<double>(i / 2)) + 0.5 + static_cast<double>(i % 2),
                1e-5);
  EXPECT_THROW(run(1), Error);
}

TEST(Loss, follows_its_definition) {
  const auto x = Random(6).numbers(2 * 3 * 2, -2, 2);
  const std::vector<float> weights{1, 2, 3}, targets{0, 2, 1, 1};
  const auto run = [&](const std::string& op, const Attributes& attributes,
                       const testing::Shape& shape, const std::vector<float>& classes) {
    IntegerGraph graph;
    const auto input = graph.builder.input("x", {2, 3, 2}, -1);
    const auto target = graph.integers(graph.floats(classes, {2, 2}), {2, 2}, ADZE_INT, 64);
    graph.builder.output(graph.builder.node(op, {input, target, graph.floats(weights, {3})}, shape,
                                            attributes, 13, -1));
    return execute(graph.builder, {x}).front();
  };
  double sum = 0, weight_sum = 0, entropy = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    const auto t = static_cast<std::size_t>(targets[i]), base = i / 2 * 6 + i % 2;
    if (t == 2) continue;  // ignored below
    double exponentials = 0;
    for (std::size_t c = 0; c < 3; ++c)
      exponentials += std::exp(static_cast<double>(x[base + c * 2]));
    sum -= static_cast<double>(weights[t]) * x[base + t * 2];
    entropy -= weights[t] * (x[base + t * 2] - std::log(exponentials));
    weight_sum += weights[t];
  }
  const Attributes ignoring{{"ignore_index", std::int64_t{2}}};
  EXPECT_NEAR(run("NegativeLogLikelihoodLoss", ignoring, {}, targets).front(), sum / weight_sum,
              1e-6);
  Attributes added = ignoring;
  added["reduction"] = std::string("sum");
  EXPECT_NEAR(run("SoftmaxCrossEntropyLoss", added, {}, targets).front(), entropy, 1e-5);
  EXPECT_EQ(
      run("NegativeLogLikelihoodLoss", {{"reduction", std::string("none")}}, {2, 2}, targets)[1],
      -3 * x[5]);
  EXPECT_THROW(run("NegativeLogLikelihoodLoss", ignoring, {}, {0, 5, 1, 1}), Error);
}

}  // namespace
}  // namespace adze::exec
