// Convolutions, their transposes and pools beyond the fast forms, against plain references.
#include "plugins/tensor_exec/executable.hpp"
#include "tests/unit/tensor_exec/execute.hpp"

namespace adze::exec {
namespace {

using testing::Attributes;
using testing::count_of;
using testing::execute;
using testing::GraphBuilder;
using testing::Random;
using Ints = std::vector<std::int64_t>;

void expect_near(const std::vector<float>& got, const std::vector<float>& expected,
                 float tolerance = 1e-4f) {
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i)
    EXPECT_NEAR(got[i], expected[i], tolerance * std::max(1.0f, std::abs(expected[i]))) << i;
}

TEST(Convolution, with_computed_weights_equals_that_with_constant_weights) {
  const testing::Shape in{2, 6, 9, 11}, weights{4, 3, 3, 2}, out{2, 4, 4, 6};
  const Attributes attributes{{"group", std::int64_t{2}},
                              {"strides", Ints{2, 2}},
                              {"dilations", Ints{1, 2}},
                              {"pads", Ints{0, 1, 1, 2}}};
  Random random(1);
  const auto x = random.numbers(count_of(in), -1, 1), w = random.numbers(count_of(weights), -1, 1),
             b = random.numbers(4, -1, 1);
  GraphBuilder computed, constant;
  computed.output(computed.node("Conv",
                                {computed.input("x", in, -1), computed.input("w", weights, -1),
                                 computed.input("b", testing::Shape{4}, -1)},
                                out, attributes, 11, -1));
  constant.output(constant.node("Conv",
                                {constant.input("x", in, -1), constant.constant("w", weights, w),
                                 constant.constant("b", testing::Shape{4}, b)},
                                out, attributes, 11, -1));
  const auto got = execute(computed, {x, w, b}).front();
  expect_near(got, execute(constant, {x}).front());
  EXPECT_EQ(execute(computed, {x, w, b}, {.threads = 3}).front(), got);
}

TEST(Convolution, of_large_images_by_1x1_adds_the_residual_where_it_belongs) {
  const testing::Shape in{2, 5, 32, 30}, weights{7, 5, 1, 1}, out{2, 7, 32, 30};
  Random random(7);
  const auto x = random.numbers(count_of(in), -1, 1), w = random.numbers(count_of(weights), -1, 1),
             b = random.numbers(7, -1, 1), y = random.numbers(count_of(out), -1, 1);
  std::vector<float> expected;
  for (std::size_t i = 0; i < y.size(); ++i) {
    const std::size_t pixel = i % 960, channel = i / 960 % 7, image = i / (960 * 7);
    float sum = b[channel] + y[i];
    for (std::size_t c = 0; c < 5; ++c)
      sum += w[channel * 5 + c] * x[(image * 5 + c) * 960 + pixel];
    expected.push_back(std::max(sum, 0.0f));
  }
  GraphBuilder builder;
  const auto layer = builder.node("Conv",
                                  {builder.input("x", in, -1), builder.constant("w", weights, w),
                                   builder.constant("b", testing::Shape{7}, b)},
                                  out, {}, 11, -1);
  const auto sum = builder.node("Add", {layer, builder.input("y", out, -1)}, out, {}, 13, -1);
  builder.output(builder.node("Relu", {sum}, out, {}, 13, -1));
  const auto got = execute(builder, {x, y}).front();
  expect_near(got, expected);
  EXPECT_EQ(execute(builder, {x, y}, {.threads = 3}).front(), got);
}

/// Volumes by their definition: one group, no dilation.
struct Volume {
  std::int64_t channels, depth, height, width;
  std::int64_t at(std::int64_t c, std::int64_t z, std::int64_t y, std::int64_t x) const {
    return ((c * depth + z) * height + y) * width + x;
  }
  bool inside(std::int64_t z, std::int64_t y, std::int64_t x) const {
    return z >= 0 && z < depth && y >= 0 && y < height && x >= 0 && x < width;
  }
};

TEST(Convolution, of_volumes_and_its_transpose_follow_their_definition) {
  const Volume large{2, 5, 6, 8};
  const std::int64_t stride = 2, pad = 1;
  const Volume result{3, 3, 3, 4};  // of a convolution of `large`
  Random random(2);
  const auto x = random.numbers(2 * 5 * 6 * 8, -1, 1);
  const auto w = random.numbers(3 * 2 * 27, -1, 1);
  std::vector<float> expected(static_cast<std::size_t>(3 * 3 * 3 * 4), 0);
  const auto weight = [&](std::int64_t a, std::int64_t b, std::int64_t channels, std::int64_t tap) {
    return w[static_cast<std::size_t>((a * channels + b) * 27 + tap)];
  };
  for (std::int64_t o = 0; o < 3; ++o)
    for (std::int64_t c = 0; c < 2; ++c)
      for (std::int64_t i = 0; i < 3 * 3 * 4 * 27; ++i) {
        const std::int64_t tap = i % 27, place = i / 27;
        const std::int64_t oz = place / 12, oy = place / 4 % 3, ox = place % 4;
        const std::int64_t z = oz * stride - pad + tap / 9, y = oy * stride - pad + tap / 3 % 3,
                           xx = ox * stride - pad + tap % 3;
        if (large.inside(z, y, xx))
          expected[static_cast<std::size_t>(result.at(o, oz, oy, ox))] +=
              weight(o, c, 2, tap) * x[static_cast<std::size_t>(large.at(c, z, y, xx))];
      }
  const Attributes attributes{{"strides", Ints{2, 2, 2}}, {"pads", Ints{1, 1, 1, 1, 1, 1}}};
  GraphBuilder forward;
  const auto input = forward.input("x", {1, 2, 5, 6, 8});
  const auto weights = forward.constant("w", {3, 2, 3, 3, 3}, w);
  forward.output(forward.node("Conv", {input, weights}, {1, 3, 3, 3, 4}, attributes));
  expect_near(execute(forward, {x}).front(), expected);

  // The transpose sends what the convolution took back: <conv(x), y> = <x, transpose(y)>.
  const auto y = random.numbers(3 * 3 * 3 * 4, -1, 1);
  GraphBuilder backward;
  const auto from = backward.input("y", {1, 3, 3, 3, 4});
  const auto same = backward.constant("w", {3, 2, 3, 3, 3}, w);
  Attributes transposed = attributes;
  transposed["output_padding"] = Ints{0, 1, 1};
  backward.output(backward.node("ConvTranspose", {from, same}, {1, 2, 5, 6, 8}, transposed));
  const auto back = execute(backward, {y}).front();
  double left = 0, right = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) left += static_cast<double>(expected[i]) * y[i];
  for (std::size_t i = 0; i < back.size(); ++i) right += static_cast<double>(back[i]) * x[i];
  EXPECT_NEAR(left, right, 1e-3);
}

TEST(ConvTranspose, places_its_output_by_output_shape_and_auto_pad) {
  // Numbers of the ONNX specification's example.
  const std::vector<float> x{0, 1, 2, 3, 4, 5, 6, 7, 8};
  const auto run = [&](const Attributes& attributes, const testing::Shape& out) {
    GraphBuilder builder;
    const auto input = builder.input("x", {1, 1, 3, 3});
    const auto weights = builder.constant("w", {1, 1, 3, 3}, std::vector<float>(9, 1));
    builder.output(builder.node("ConvTranspose", {input, weights}, out, attributes));
    return execute(builder, {x}).front();
  };
  expect_near(run({}, {1, 1, 5, 5}), {0,  1,  3, 3,  2,  3,  8,  15, 12, 7,  9,  21, 36,
                                      27, 15, 9, 20, 33, 24, 13, 6,  13, 21, 15, 8});
  expect_near(run({{"auto_pad", std::string("SAME_UPPER")}, {"strides", Ints{2, 2}}}, {1, 1, 6, 6}),
              {0, 0, 1, 1, 3, 2, 0, 0, 1,  1,  3,  2,  3, 3, 8,  5, 12, 7,
               3, 3, 7, 4, 9, 5, 9, 9, 20, 11, 24, 13, 6, 6, 13, 7, 15, 8});
  const auto sized = run({{"output_shape", Ints{10, 8}}, {"strides", Ints{3, 2}}}, {1, 1, 10, 8});
  for (std::size_t i = 72; i < 80; ++i) EXPECT_EQ(sized[i], 0);
}

TEST(Convolution, refuses_what_does_not_fit) {
  const auto refused = [](const std::string& op, const testing::Shape& in,
                          const testing::Shape& weights, const testing::Shape& out,
                          const Attributes& attributes) {
    GraphBuilder builder;
    const auto input = builder.input("x", in);
    const auto constant = builder.constant(
        "w", weights, std::vector<float>(static_cast<std::size_t>(count_of(weights))));
    builder.output(builder.node(op, {input, constant}, out, attributes));
    EXPECT_THROW(execute(builder, {std::vector<float>(static_cast<std::size_t>(count_of(in)))}),
                 Error)
        << op;
  };
  const Ints huge{std::int64_t{1} << 40, 1}, none{0, 1}, negative{-1, 0, 0, 0};
  refused("Conv", {1, 2, 4, 4}, {2, 2, 5, 5}, {1, 2, 1, 1}, {});
  refused("Conv", {1, 2, 4, 4}, {2, 3, 3, 3}, {1, 2, 2, 2}, {});
  refused("Conv", {1, 2, 4, 4}, {2, 2, 3, 3}, {1, 2, 2, 2}, {{"strides", none}});
  refused("Conv", {1, 2, 4, 4}, {2, 2, 3, 3}, {1, 2, 2, 2}, {{"dilations", huge}});
  refused("Conv", {1, 2, 4, 4}, {2, 2, 3, 3}, {1, 2, 2, 2}, {{"pads", negative}});
  refused("Conv", {1, 2, 4, 4}, {2, 2, 3, 3}, {1, 2, 2, 2}, {{"auto_pad", std::string("SOME")}});
  refused("Conv", {1, 2, 4, 4}, {2, 2, 3, 3}, {1, 2, 2, 2}, {{"group", std::int64_t{0}}});
  refused("Conv", {1, 2, 4, 4}, {2, 2, 3, 3}, {1, 2, 2, 2}, {{"kernel_shape", Ints{2, 2}}});
  refused("ConvTranspose", {1, 2, 4, 4}, {2, 2, 3, 3}, {1, 2, 4, 4}, {});
  refused("ConvTranspose", {1, 2, 4, 4}, {3, 2, 3, 3}, {1, 2, 6, 6}, {});
  refused("ConvTranspose", {1, 2, 4, 4}, {2, 2, 3, 3}, {1, 2, 6, 6}, {{"strides", huge}});
  refused("ConvTranspose", {1, 2, 4, 4}, {2, 2, 3, 3}, {1, 2, 6, 6},
          {{"output_shape", Ints{5, 5}}});
}

std::vector<float> pool(const std::string& op, const testing::Shape& in, const testing::Shape& out,
                        const std::vector<float>& x, const Attributes& attributes) {
  GraphBuilder builder;
  builder.output(builder.node(op, {builder.input("x", in)}, out, attributes));
  return execute(builder, {x}).front();
}

TEST(Pool, of_volumes_of_one_layer_equals_that_of_images) {
  const auto x = Random(3).numbers(2 * 3 * 7 * 9, -1, 1);
  for (const std::string op : {"MaxPool", "AveragePool"})
    for (const std::int64_t padding : {0, 1}) {
      const Attributes flat{{"kernel_shape", Ints{3, 2}},
                            {"strides", Ints{2, 2}},
                            {"pads", Ints{1, 0, 1, 1}},
                            {"ceil_mode", std::int64_t{1}},
                            {"count_include_pad", padding}};
      const Attributes deep{{"kernel_shape", Ints{1, 3, 2}},
                            {"strides", Ints{1, 2, 2}},
                            {"pads", Ints{0, 1, 0, 0, 1, 1}},
                            {"ceil_mode", std::int64_t{1}},
                            {"count_include_pad", padding}};
      expect_near(pool(op, {2, 3, 1, 7, 9}, {2, 3, 1, 4, 5}, x, deep),
                  pool(op, {2, 3, 7, 9}, {2, 3, 4, 5}, x, flat), 1e-6f);
    }
}

TEST(Pool, of_powers_and_of_everything) {
  const std::vector<float> x{1, -2, 3, 4, 5, -6, 7, 8};
  expect_near(pool("LpPool", {1, 1, 2, 4}, {1, 1, 1, 2}, x,
                   {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}}),
              {std::sqrt(66.0f), std::sqrt(138.0f)});
  expect_near(pool("LpPool", {1, 1, 2, 4}, {1, 1, 1, 2}, x,
                   {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}, {"p", std::int64_t{1}}}),
              {14, 22});
  expect_near(pool("GlobalMaxPool", {1, 2, 2, 2}, {1, 2, 1, 1}, x, {}), {4, 8});
  expect_near(pool("GlobalLpPool", {1, 2, 2, 2}, {1, 2, 1, 1}, x, {{"p", std::int64_t{1}}}),
              {10, 26});
}

}  // namespace
}  // namespace adze::exec
