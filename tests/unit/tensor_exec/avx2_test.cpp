// The kernels for AVX2: integers give the bits of the plain path, floats the sums of the
// definition, and both the same bits for any number of threads.
#include "plugins/tensor_exec/avx2.hpp"

#include <atomic>
#include <cmath>

#include "tests/unit/tensor_exec/execute.hpp"
#include "tests/unit/tensor_exec/geometry.hpp"

namespace adze::exec {
namespace {

using testing::Random;

Geometry random_image(Random& random) {
  Geometry g;
  g.batch = random.integer(1, 2);
  g.in_height = random.integer(4, 15);
  g.in_width = random.integer(4, 15);
  return g;
}

/// 3x3 without stride, of any padding up to 2.
Geometry winograd_geometry(Random& random) {
  Geometry g = random_image(random);
  g.in_channels = 16 * random.integer(1, 5);
  g.out_channels = random.integer(1, 40);
  g.kernel_height = g.kernel_width = 3;
  g.pad_top = random.integer(0, 2);
  g.pad_left = random.integer(0, 2);
  g.pad_bottom = random.integer(0, 2);
  g.pad_right = random.integer(0, 2);
  return with_output(g);
}

Geometry depthwise_geometry(Random& random) {
  Geometry g = random_image(random);
  g.groups = g.in_channels = g.out_channels = 8 * random.integer(2, 6);
  const bool is_3x3 = random.integer(0, 1) == 1;
  g.kernel_height = is_3x3 ? 3 : random.integer(1, 4);
  g.kernel_width = is_3x3 ? 3 : random.integer(1, 4);
  g.stride_height = random.integer(1, 2);
  g.stride_width = random.integer(1, 3);
  g.dilation_width = g.in_width > 8 ? random.integer(1, 2) : 1;
  g.pad_top = random.integer(0, 2);
  g.pad_left = random.integer(0, 2);
  g.pad_bottom = random.integer(0, 2);
  g.pad_right = random.integer(0, 2);
  return with_output(g);
}

Geometry direct_geometry(Random& random) {
  Geometry g = random_image(random);
  g.in_channels = random.integer(1, 40);
  g.out_channels = random.integer(1, 70);
  if (random.integer(0, 2) > 0) {
    g.kernel_height = random.integer(1, 4);
    g.kernel_width = random.integer(1, 4);
    g.stride_height = random.integer(1, 2);
    g.stride_width = random.integer(1, 2);
    g.dilation_width = g.in_width > 8 ? random.integer(1, 2) : 1;
    g.pad_top = random.integer(0, 2);
    g.pad_left = random.integer(0, 2);
    g.pad_bottom = random.integer(0, 2);
    g.pad_right = random.integer(0, 2);
  }
  return with_output(g);
}

std::size_t result_size(const Geometry& g) {
  return static_cast<std::size_t>(g.batch * g.out_pixels() * g.out_channels);
}

IntegerConvolution random_integers(Random& random, const Geometry& g) {
  IntegerConvolution c;
  c.geometry = g;
  const std::int64_t zero_points[] = {0, 128, random.integer(0, 255)};
  c.input = {0.02f, static_cast<std::int32_t>(zero_points[random.integer(0, 2)]), 0, 255};
  for (std::int64_t i = 0; i < g.out_channels * g.depth(); ++i)
    c.weights.push_back(static_cast<std::int16_t>(random.integer(-128, 127)));
  for (std::int64_t o = 0; o < g.out_channels; ++o) {
    c.bias.push_back(static_cast<std::int32_t>(random.integer(-20000, 20000)));
    c.weight_scales.push_back(random.number(0.001f, 0.01f));
  }
  if (random.integer(0, 4) > 0)
    c.output = Quant8{0.01f * std::sqrt(static_cast<float>(g.depth())),
                      static_cast<std::int32_t>(random.integer(0, 255)), 0, 255};
  if (random.integer(0, 1)) c.clamp.low = 0;
  c.rounding = random.integer(0, 3) ? Rounding::half_even : Rounding::half_up;
  return c;
}

std::vector<std::byte> computed(const Kernel& kernel, const IntegerConvolution& c,
                                const std::vector<std::uint8_t>& source, std::byte* scratch,
                                int threads) {
  std::vector<std::byte> result(result_size(c.geometry) * (c.output ? 1 : sizeof(float)));
  const auto* from = reinterpret_cast<const std::byte*>(source.data());
  auto* to = result.data();
  kernel.run({&from, &to, scratch, threads});
  return result;
}

using MakeIntegers = std::unique_ptr<Kernel> (*)(const IntegerConvolution&);

void expect_the_bits_of_the_plain_path(Geometry (*geometry)(Random&), MakeIntegers make) {
  if (widest_vectors() == Vectors::narrower) GTEST_SKIP() << "the CPU has no AVX2";
  Random random(1);
  for (int i = 0; i < 25; ++i) {
    SCOPED_TRACE(i);
    const IntegerConvolution c = random_integers(random, geometry(random));
    std::vector<std::uint8_t> source;
    for (std::int64_t k = 0; k < c.geometry.batch * c.geometry.in_pixels() * c.geometry.in_channels;
         ++k)
      source.push_back(static_cast<std::uint8_t>(random.integer(0, 255)));
    std::size_t scratch_bytes = 0;
    const auto plain = make_integer_convolution(c, Path::plain, scratch_bytes);
    const AlignedBytes scratch(scratch_bytes);
    const auto expected = computed(*plain, c, source, scratch.data(), 1);
    const auto kernel = make(c);
    ASSERT_NE(kernel, nullptr);
    for (const int threads : {1, 2, 5})
      ASSERT_EQ(computed(*kernel, c, source, nullptr, threads), expected) << threads;
  }
}

TEST(Avx2, integer_winograd_gives_the_bits_of_the_plain_path) {
  expect_the_bits_of_the_plain_path(winograd_geometry, make_avx2_winograd<IntegerConvolution>);
}
TEST(Avx2, integer_depthwise_gives_the_bits_of_the_plain_path) {
  expect_the_bits_of_the_plain_path(depthwise_geometry, make_avx2_depthwise<IntegerConvolution>);
}
TEST(Avx2, integer_matrix_product_gives_the_bits_of_the_plain_path) {
  expect_the_bits_of_the_plain_path(direct_geometry, make_avx2_direct<IntegerConvolution>);
}

TEST(Avx2, integer_winograd_is_exact_up_to_the_largest_sums_it_takes) {
  if (widest_vectors() == Vectors::narrower) GTEST_SKIP() << "the CPU has no AVX2";
  Geometry g;
  g.in_channels = 1824;  // 255 * 128 * 9 * channels is just below 2^29
  g.kernel_height = g.kernel_width = 3;
  g.in_height = g.in_width = 4;
  g.out_channels = 2;
  Random random(2);
  IntegerConvolution c = random_integers(random, with_output(g));
  c.input.zero_point = 0;
  c.output.reset();
  c.clamp = {};
  std::fill(c.weights.begin(), c.weights.end(), std::int16_t{-128});
  const std::vector<std::uint8_t> source(static_cast<std::size_t>(16 * g.in_channels), 255);
  std::size_t scratch_bytes = 0;
  const auto plain = make_integer_convolution(c, Path::plain, scratch_bytes);
  const AlignedBytes scratch(scratch_bytes);
  const auto kernel = make_avx2_winograd(c);
  ASSERT_NE(kernel, nullptr);
  EXPECT_EQ(computed(*kernel, c, source, nullptr, 1),
            computed(*plain, c, source, scratch.data(), 1));

  c.geometry.in_channels += 16;
  c.weights.resize(static_cast<std::size_t>(2 * c.geometry.depth()), -128);
  EXPECT_EQ(make_avx2_winograd(c), nullptr);
}

using MakeFloats = std::unique_ptr<Kernel> (*)(const FloatConvolution&);

std::vector<float> defined(const FloatConvolution& c, const std::vector<float>& source,
                           const std::vector<float>& addend) {
  const Geometry& g = c.geometry;
  std::vector<float> result;
  for (std::int64_t pixel = 0; pixel < g.batch * g.out_pixels(); ++pixel)
    for (std::int64_t o = 0; o < g.out_channels; ++o) {
      double sum = static_cast<double>(c.bias[static_cast<std::size_t>(o)]);
      for (std::int64_t i = 0; i < g.depth(); ++i) {
        const std::int64_t area = g.kernel_height * g.kernel_width, tap = i % area;
        const std::int64_t y = pixel / g.out_width % g.out_height * g.stride_height - g.pad_top +
                               tap / g.kernel_width * g.dilation_height;
        const std::int64_t x = pixel % g.out_width * g.stride_width - g.pad_left +
                               tap % g.kernel_width * g.dilation_width;
        if (y < 0 || x < 0 || y >= g.in_height || x >= g.in_width) continue;
        const std::int64_t channel = o / g.group_outputs() * g.group_inputs() + i / area;
        const std::int64_t from =
            ((pixel / g.out_pixels() * g.in_height + y) * g.in_width + x) * g.in_channels + channel;
        sum += static_cast<double>(source[static_cast<std::size_t>(from)]) *
               static_cast<double>(c.weights[static_cast<std::size_t>(o * g.depth() + i)]);
      }
      float value = static_cast<float>(sum);
      if (c.with_addend) value += addend[result.size()];
      result.push_back(std::min(std::max(value, c.clamp.low), c.clamp.high));
    }
  return result;
}

void expect_the_sums_of_the_definition(Geometry (*geometry)(Random&), MakeFloats make) {
  if (widest_vectors() == Vectors::narrower) GTEST_SKIP() << "the CPU has no AVX2";
  Random random(3);
  for (int i = 0; i < 25; ++i) {
    SCOPED_TRACE(i);
    FloatConvolution c;
    c.geometry = geometry(random);
    const Geometry& g = c.geometry;
    const std::int64_t inputs = g.batch * g.in_pixels() * g.in_channels;
    c.weights = random.numbers(g.out_channels * g.depth(), -1, 1);
    c.bias = random.numbers(g.out_channels, -1, 1);
    if (random.integer(0, 1)) c.clamp = {0, 6};
    c.with_addend = random.integer(0, 1) == 1;
    const auto source = random.numbers(inputs, -1, 1);
    const auto addend = random.numbers(static_cast<std::int64_t>(result_size(g)), -1, 1);
    const auto expected = defined(c, source, addend);
    const auto kernel = make(c);
    ASSERT_NE(kernel, nullptr);
    std::vector<float> first;
    for (const int threads : {1, 2, 5}) {
      std::vector<float> got(expected.size());
      const std::byte* from[] = {reinterpret_cast<const std::byte*>(source.data()),
                                 reinterpret_cast<const std::byte*>(addend.data())};
      auto* to = reinterpret_cast<std::byte*>(got.data());
      kernel->run({from, &to, nullptr, threads});
      if (threads == 1) first = got;
      ASSERT_EQ(got, first);
      for (std::size_t k = 0; k < got.size(); ++k)
        ASSERT_NEAR(got[k], expected[k], 1e-5f * std::sqrt(static_cast<float>(g.depth()))) << k;
    }
  }
}

TEST(Avx2, float_winograd_gives_the_sums_of_the_definition) {
  expect_the_sums_of_the_definition(winograd_geometry, make_avx2_winograd<FloatConvolution>);
}
TEST(Avx2, float_depthwise_gives_the_sums_of_the_definition) {
  expect_the_sums_of_the_definition(depthwise_geometry, make_avx2_depthwise<FloatConvolution>);
}
TEST(Avx2, float_matrix_product_gives_the_sums_of_the_definition) {
  expect_the_sums_of_the_definition(direct_geometry, make_avx2_direct<FloatConvolution>);
}

TEST(Threads, pass_on_the_first_exception_and_go_on_working) {
  for (int repeat = 0; repeat < 20; ++repeat) {
    EXPECT_THROW(for_chunks(3, 50,
                            [](std::int64_t i) {
                              if (i == 17) throw Error(ADZE_INTERNAL, "chunk 17");
                            }),
                 Error);
    std::vector<int> done(1000, 0);
    parallel_for(3, 1000, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) ++done[static_cast<std::size_t>(i)];
    });
    EXPECT_EQ(done, std::vector<int>(1000, 1));
  }
}

TEST(Threads, do_work_that_is_started_within_work) {
  std::atomic<int> done{0};
  for_chunks(2, 4, [&](std::int64_t) { for_chunks(2, 8, [&](std::int64_t) { ++done; }); });
  EXPECT_EQ(done, 32);
}

}  // namespace
}  // namespace adze::exec
