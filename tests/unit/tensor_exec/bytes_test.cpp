// Loops over quantized elements give what their definition says, of any length.
#include "plugins/tensor_exec/bytes.hpp"

#include <cmath>

#include "plugins/tensor_exec/avx2_functions.hpp"
#include "plugins/tensor_exec/operators/vector_math.hpp"
#include "tests/unit/tensor_exec/execute.hpp"

namespace adze::exec {
namespace {

using testing::Random;

std::vector<std::uint8_t> random_bytes(Random& random, std::int64_t count) {
  std::vector<std::uint8_t> bytes;
  for (std::int64_t i = 0; i < count; ++i)
    bytes.push_back(static_cast<std::uint8_t>(random.integer(0, 255)));
  return bytes;
}

TEST(Bytes, are_looked_up_in_a_table) {
  Random random(1);
  Table table{};
  for (std::uint8_t& entry : table) entry = static_cast<std::uint8_t>(random.integer(0, 255));
  const Lookup lookup(table);
  for (const std::int64_t count : {0, 1, 31, 32, 33, 127, 128, 300, 1000}) {
    const auto source = random_bytes(random, count);
    std::vector<std::uint8_t> got(source.size()), in_place = source;
    lookup.run(source.data(), count, got.data());
    lookup.run(in_place.data(), count, in_place.data());
    for (std::size_t i = 0; i < source.size(); ++i)
      ASSERT_EQ(got[i], table[source[i]]) << count << ", " << i;
    EXPECT_EQ(in_place, got) << count;
  }
  std::vector<std::uint8_t> all(256);
  std::iota(all.begin(), all.end(), std::uint8_t{0});
  lookup.run(all.data(), 256, all.data());
  EXPECT_TRUE(std::equal(all.begin(), all.end(), table.begin()));
}

std::uint8_t combined(BinaryOperation combination, Rounding rounding, const BytePairs& pairs,
                      std::uint8_t a, std::uint8_t b) {
  const float x = dequantize(a, pairs.from_a), y = dequantize(b, pairs.from_b);
  const float result = combination == BinaryOperation::add   ? x + y
                       : combination == BinaryOperation::sub ? x - y
                       : combination == BinaryOperation::mul ? x * y
                                                             : x / y;
  const float raised = result < pairs.clamp.low ? pairs.clamp.low : result;
  const float limited = raised > pairs.clamp.high ? pairs.clamp.high : raised;
  return rounding == Rounding::half_even
             ? to_u8<Rounding::half_even>(limited / pairs.to.scale, pairs.to)
             : to_u8<Rounding::half_up>(limited / pairs.to.scale, pairs.to);
}

TEST(Bytes, are_combined_row_by_row) {
  Random random(2);
  for (int round = 0; round < 200; ++round) {
    const std::int64_t width = random.integer(1, 70), rows = random.integer(1, 4);
    const bool repeats = random.integer(0, 1) == 1;
    const auto a = random_bytes(random, rows * width), b = random_bytes(random, rows * width);
    std::vector<std::uint8_t> got(a.size());
    const auto quant = [&] {
      // Some sums fall on a tie.
      return Quant8{random.integer(0, 1) ? 0.25f : random.number(0.01f, 0.1f),
                    static_cast<std::int32_t>(random.integer(0, 255)), 0, 255};
    };
    BytePairs pairs{a.data(), b.data(), got.data(), rows, width, width, repeats ? 0 : width,
                    quant(),  quant(),  quant(),    {}};
    if (random.integer(0, 1)) pairs.clamp.low = 0;
    if (random.integer(0, 2) == 0) pairs.clamp.high = 3;
    if (random.integer(0, 3) == 0) pairs.to.high = 127;
    const auto combination = static_cast<BinaryOperation>(random.integer(0, 3));
    const Rounding rounding = random.integer(0, 2) ? Rounding::half_even : Rounding::half_up;
    combine_bytes(combination, rounding)(pairs);
    for (std::int64_t row = 0; row < rows; ++row)
      for (std::int64_t i = 0; i < width; ++i) {
        const auto at = static_cast<std::size_t>(row * width + i);
        const auto other = static_cast<std::size_t>(row * pairs.b_step + i);
        ASSERT_EQ(got[at], combined(combination, rounding, pairs, a[at], b[other]))
            << static_cast<int>(combination) << ", " << width << ", " << i;
      }
  }
}

/// Of any number of elements: the rest of a vector, too.
TEST(Rows, have_the_bits_of_the_definition) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  std::vector<float> source = {0.0f,  -0.0f, kInfinity, -kInfinity, 1e30f,  -1e30f, 88.7f,
                               88.8f, 89.0f, -86.5f,    -86.7f,     -90.0f, 0.92f,  -4.1f};
  Random random(3);
  for (int i = 0; i < 1000; ++i) source.push_back(random.number(-20, 20));
  for (const float x : random.numbers(1001, -100, 100)) source.push_back(x);
  const auto count = static_cast<std::int64_t>(source.size());
  std::vector<float> logistics(source.size()), errors = logistics, powers = logistics;
  logistic_row(source.data(), logistics.data(), count);
  error_function_row(source.data(), errors.data(), count);
  exponential_row(source.data(), 0.5f, powers.data(), count);
  for (std::size_t i = 0; i < source.size(); ++i) {
    const float x = source[i];
    EXPECT_EQ(std::bit_cast<std::uint32_t>(logistics[i]), std::bit_cast<std::uint32_t>(logistic(x)))
        << x;
    EXPECT_EQ(std::bit_cast<std::uint32_t>(errors[i]),
              std::bit_cast<std::uint32_t>(error_function(x)))
        << x;
    EXPECT_EQ(std::bit_cast<std::uint32_t>(powers[i]),
              std::bit_cast<std::uint32_t>(exponential(x - 0.5f)))
        << x;
    const auto wide = static_cast<double>(x);
    EXPECT_NEAR(static_cast<double>(logistics[i]), 1 / (1 + std::exp(-wide)), 1.2e-7) << x;
    EXPECT_NEAR(static_cast<double>(errors[i]), std::erf(wide), 2e-7) << x;
  }
}

}  // namespace
}  // namespace adze::exec
