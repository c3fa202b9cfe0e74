// All integer paths give the bits of a loop written down here, on random layers.
#include "plugins/tensor_exec/integer_convolution.hpp"

#include <cmath>

#include "tests/unit/tensor_exec/execute.hpp"
#include "tests/unit/tensor_exec/geometry.hpp"

namespace adze::exec {
namespace {

using testing::Random;

struct Layer {
  IntegerConvolution convolution;
  std::vector<std::uint8_t> source;
};

enum class Kind { dense, depthwise, grouped, connected };

Geometry random_geometry(Random& random, Kind kind) {
  Geometry g;
  g.batch = random.integer(1, 3);
  if (kind == Kind::connected) {
    g.in_channels = random.integer(1, 600);
    g.out_channels = random.integer(1, 70);
    return g;
  }
  g.kernel_height = random.integer(1, 5);
  g.kernel_width = random.integer(1, 5);
  g.stride_height = random.integer(1, 3);
  g.stride_width = random.integer(1, 3);
  g.dilation_height = random.integer(1, 2);
  g.dilation_width = random.integer(1, 2);
  g.pad_top = random.integer(0, g.kernel_height - 1);
  g.pad_bottom = random.integer(0, g.kernel_height - 1);
  g.pad_left = random.integer(0, g.kernel_width - 1);
  g.pad_right = random.integer(0, g.kernel_width - 1);
  g.in_height = random.integer(9, 14);
  g.in_width = random.integer(9, 14);
  g = with_output(g);
  if (kind == Kind::dense) {
    g.in_channels = random.integer(1, 40);
    g.out_channels = random.integer(1, 40);
  } else if (kind == Kind::depthwise) {
    g.groups = g.in_channels = g.out_channels = random.integer(2, 40);
  } else {
    g.groups = random.integer(2, 4);
    g.in_channels = g.groups * random.integer(1, 9);
    g.out_channels = g.groups * random.integer(1, 9);
  }
  return g;
}

Layer random_layer(Random& random, const Geometry& geometry, int largest_weight) {
  Layer layer;
  IntegerConvolution& c = layer.convolution;
  c.geometry = geometry;
  const std::int64_t zero_points[] = {0, 128, random.integer(0, 255)};
  c.input = {random.number(0.001f, 0.1f),
             static_cast<std::int32_t>(zero_points[random.integer(0, 2)]), 0, 255};
  for (std::int64_t i = 0; i < geometry.out_channels * geometry.depth(); ++i)
    c.weights.push_back(static_cast<std::int16_t>(random.integer(-largest_weight, largest_weight)));
  const double spread = 255.0 * largest_weight * std::sqrt(static_cast<double>(geometry.depth()));
  for (std::int64_t o = 0; o < geometry.out_channels; ++o) {
    c.bias.push_back(static_cast<std::int32_t>(random.integer(-20000, 20000)));
    c.weight_scales.push_back(random.number(0.001f, 0.01f));
  }
  if (random.integer(0, 4) > 0)
    c.output = Quant8{static_cast<float>(c.input.scale * 0.005 * spread / 128),
                      static_cast<std::int32_t>(random.integer(0, 255)), 0, 255};
  if (random.integer(0, 1)) c.clamp.low = 0;
  if (random.integer(0, 2) == 0) c.clamp.high = c.output ? c.output->scale * 60 : 6;
  c.rounding = random.integer(0, 3) ? Rounding::half_even : Rounding::half_up;
  const std::int64_t pixels = geometry.batch * geometry.in_pixels();
  for (std::int64_t i = 0; i < pixels * geometry.in_channels; ++i)
    layer.source.push_back(static_cast<std::uint8_t>(random.integer(0, 255)));
  return layer;
}

std::int64_t sum_at(const Layer& layer, std::int64_t image, std::int64_t o, std::int64_t y,
                    std::int64_t x) {
  const Geometry& g = layer.convolution.geometry;
  const std::int64_t group = o / g.group_outputs();
  std::int64_t sum = layer.convolution.bias[static_cast<std::size_t>(o)];
  for (std::int64_t i = 0; i < g.group_inputs(); ++i)
    for (std::int64_t row = 0; row < g.kernel_height; ++row)
      for (std::int64_t column = 0; column < g.kernel_width; ++column) {
        const std::int64_t iy = y * g.stride_height - g.pad_top + row * g.dilation_height;
        const std::int64_t ix = x * g.stride_width - g.pad_left + column * g.dilation_width;
        if (iy < 0 || ix < 0 || iy >= g.in_height || ix >= g.in_width) continue;
        const std::int64_t from = ((image * g.in_height + iy) * g.in_width + ix) * g.in_channels +
                                  group * g.group_inputs() + i;
        const std::int64_t weight =
            ((o * g.group_inputs() + i) * g.kernel_height + row) * g.kernel_width + column;
        sum += (layer.source[static_cast<std::size_t>(from)] - layer.convolution.input.zero_point) *
               layer.convolution.weights[static_cast<std::size_t>(weight)];
      }
  return sum;
}

/// The documented order of operations, with the C library's rounding.
float finished(const IntegerConvolution& c, std::int64_t sum, std::int64_t o) {
  const float scale = c.input.scale * c.weight_scales[static_cast<std::size_t>(o)];
  if (!c.output) {
    const float x = static_cast<float>(sum) * scale;
    return std::min(std::max(x, c.clamp.low), c.clamp.high);
  }
  const auto quantized = [&](float v) {
    const double rounded = c.rounding == Rounding::half_even
                               ? std::nearbyint(static_cast<double>(v))
                               : std::floor(static_cast<double>(v) + 0.5);
    return std::min(255.0, std::max(0.0, rounded + c.output->zero_point));
  };
  const double q = quantized(static_cast<float>(sum) * (scale / c.output->scale));
  return static_cast<float>(std::min(std::max(q, quantized(c.clamp.low / c.output->scale)),
                                     quantized(c.clamp.high / c.output->scale)));
}

std::vector<float> reference(const Layer& layer) {
  const Geometry& g = layer.convolution.geometry;
  std::vector<float> result;
  for (std::int64_t image = 0; image < g.batch; ++image)
    for (std::int64_t y = 0; y < g.out_height; ++y)
      for (std::int64_t x = 0; x < g.out_width; ++x)
        for (std::int64_t o = 0; o < g.out_channels; ++o)
          result.push_back(finished(layer.convolution, sum_at(layer, image, o, y, x), o));
  return result;
}

std::vector<float> computed(const Layer& layer, Path path, int threads = 1) {
  const Geometry& g = layer.convolution.geometry;
  std::size_t scratch_bytes = 0;
  const auto kernel = make_integer_convolution(layer.convolution, path, scratch_bytes);
  const AlignedBytes scratch(scratch_bytes);
  const auto count = static_cast<std::size_t>(g.batch * g.out_pixels() * g.out_channels);
  std::vector<float> floats(count);
  std::vector<std::uint8_t> integers(count);
  const auto* source = reinterpret_cast<const std::byte*>(layer.source.data());
  auto* target = reinterpret_cast<std::byte*>(floats.data());
  if (layer.convolution.output) target = reinterpret_cast<std::byte*>(integers.data());
  kernel->run({&source, &target, scratch.data(), threads});
  return layer.convolution.output ? std::vector<float>(integers.begin(), integers.end()) : floats;
}

std::vector<std::int64_t> sums_of(const Layer& layer, const Accumulator& accumulator) {
  const Geometry& g = layer.convolution.geometry;
  const AlignedBytes scratch(accumulator.scratch_bytes());
  std::vector<std::int32_t> sums(
      static_cast<std::size_t>(g.batch * g.out_pixels() * g.out_channels));
  accumulator.run(layer.source.data(), reinterpret_cast<std::byte*>(sums.data()), scratch.data(),
                  1);
  std::vector<std::int64_t> result;
  for (const std::int32_t& sum : sums) {
    float as_float;
    std::memcpy(&as_float, &sum, sizeof as_float);
    result.push_back(accumulator.sums() == Accumulator::Sums::float32
                         ? static_cast<std::int64_t>(as_float)
                         : sum);
  }
  return result;
}

void check_random_layers(Kind kind, std::uint32_t seed) {
  Random random(seed);
  for (int i = 0; i < 60; ++i) {
    SCOPED_TRACE(i);
    const Layer layer = random_layer(random, random_geometry(random, kind), 127);
    const std::vector<float> expected = reference(layer);
    ASSERT_EQ(computed(layer, Path::plain), expected);
    ASSERT_EQ(computed(layer, Path::fast), expected);
    ASSERT_EQ(computed(layer, Path::fast, 2), expected);
  }
}

TEST(IntegerConvolution, is_exact_for_convolutions) { check_random_layers(Kind::dense, 1); }
TEST(IntegerConvolution, is_exact_for_depthwise) { check_random_layers(Kind::depthwise, 2); }
TEST(IntegerConvolution, is_exact_for_groups) { check_random_layers(Kind::grouped, 3); }
TEST(IntegerConvolution, is_exact_for_connected) { check_random_layers(Kind::connected, 4); }

TEST(IntegerConvolution, cuts_the_channels_when_sums_could_leave_24_bits) {
  Random random(5);
  Geometry g = random_geometry(random, Kind::dense);
  g.in_channels = 700;
  g.out_channels = 17;
  Layer layer = random_layer(random, g, 127);
  layer.convolution.input.zero_point = 0;
  std::fill(layer.convolution.weights.begin(), layer.convolution.weights.end(), std::int16_t{127});
  std::fill(layer.source.begin(), layer.source.end(), std::uint8_t{255});
  EXPECT_GT(exact_float_parts(layer.convolution).size(), 1u);
  const std::vector<float> expected = reference(layer);
  EXPECT_EQ(computed(layer, Path::plain), expected);
  EXPECT_EQ(computed(layer, Path::fast), expected);
  const auto floats = make_float_accumulator(layer.convolution);
  ASSERT_NE(floats, nullptr);
  EXPECT_EQ(sums_of(layer, *floats), sums_of(layer, *make_plain_accumulator(layer.convolution)));
}

TEST(IntegerConvolution, falls_back_when_one_channel_alone_is_too_heavy) {
  Random random(6);
  Geometry g;
  g.kernel_height = g.kernel_width = g.in_height = g.in_width = 25;
  g.out_channels = 3;
  Layer layer = random_layer(random, g, 127);
  layer.convolution.input.zero_point = 0;
  std::fill(layer.convolution.weights.begin(), layer.convolution.weights.end(), std::int16_t{127});
  EXPECT_EQ(make_float_accumulator(layer.convolution), nullptr);
  EXPECT_EQ(computed(layer, Path::fast), reference(layer));
}

// Pairs of products stay in 16 bits here, so that oneDNN's int8 convolution is exact on every CPU.
TEST(IntegerConvolution, oneDNN_sums_equal_the_plain_ones_with_small_weights) {
  Random random(7);
  for (const Kind kind : {Kind::dense, Kind::depthwise, Kind::grouped, Kind::connected})
    for (int i = 0; i < 20; ++i) {
      SCOPED_TRACE(i);
      const Layer layer = random_layer(random, random_geometry(random, kind), 64);
      const auto dnnl = make_dnnl_accumulator(layer.convolution);
      ASSERT_NE(dnnl, nullptr);
      EXPECT_EQ(sums_of(layer, *dnnl), sums_of(layer, *make_plain_accumulator(layer.convolution)));
    }
}

// oneDNN's own copy of strided pixels is shared between its threads.
TEST(IntegerConvolution, strided_1x1_sums_do_not_race) {
  Random random(9);
  for (int i = 0; i < 60; ++i) {
    SCOPED_TRACE(i);
    Geometry g = random_geometry(random, Kind::dense);
    g.kernel_height = g.kernel_width = 1;
    g.pad_top = g.pad_left = g.pad_bottom = g.pad_right = 0;
    g.stride_height = random.integer(1, 2);
    g.stride_width = 2;
    g.out_height = out_size(g.in_height, 0, 0, 1, g.stride_height, 1);
    g.out_width = out_size(g.in_width, 0, 0, 1, g.stride_width, 1);
    const Layer layer = random_layer(random, g, 64);
    const auto expected = sums_of(layer, *make_plain_accumulator(layer.convolution));
    const auto integers = make_dnnl_accumulator(layer.convolution);
    const auto floats = make_float_accumulator(layer.convolution);
    for (int repeat = 0; repeat < 10; ++repeat) {
      ASSERT_EQ(sums_of(layer, *integers), expected);
      ASSERT_EQ(sums_of(layer, *floats), expected);
    }
  }
}

TEST(IntegerConvolution, int8_weights_are_a_condition_of_oneDNNs_sums) {
  Random random(8);
  Layer layer = random_layer(random, random_geometry(random, Kind::dense), 127);
  layer.convolution.weights.front() = 200;
  EXPECT_EQ(make_dnnl_accumulator(layer.convolution), nullptr);
  EXPECT_EQ(computed(layer, Path::fast), reference(layer));
}

}  // namespace
}  // namespace adze::exec
