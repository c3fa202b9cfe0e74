#include "plugins/tensor_exec/executable.hpp"

#include <cmath>

#include "tests/unit/tensor_exec/execute.hpp"

namespace adze::exec {
namespace {

using testing::execute;
using testing::GraphBuilder;
using testing::HowToRun;
using testing::Random;

/// conv3x3 - relu - conv3x3 - add - relu - global pool - reshape - gemm, on 6 x 9 x 9.
struct Residual {
  GraphBuilder builder;
  std::uint32_t input, first, relu, sum, scores;

  explicit Residual(bool quantized) {
    Random random(11);
    const auto conv_weights = [&](const std::string& name) {
      const std::uint32_t weights =
          builder.constant(name, testing::Shape{6, 6, 3, 3}, random.numbers(324, -0.2f, 0.2f));
      if (quantized)
        builder.quantize(weights, 0, std::vector<float>(6, 0.2f / 127),
                         std::vector<std::int32_t>(6, 0), true);
      return weights;
    };
    const auto conv = [&](std::uint32_t x, const std::string& name) {
      const std::uint32_t weights = conv_weights(name);
      const std::uint32_t bias =
          builder.constant(name + "_bias", testing::Shape{6}, random.numbers(6, -0.1f, 0.1f));
      return builder.node("Conv", {x, weights, bias}, {1, 6, 9, 9},
                          {{"pads", std::vector<std::int64_t>{1, 1, 1, 1}}});
    };
    input = builder.input("x", {1, 6, 9, 9});
    first = conv(input, "w0");
    relu = builder.node("Relu", {first}, {1, 6, 9, 9});
    const std::uint32_t second = conv(relu, "w1");
    sum = builder.node("Add", {second, input}, {1, 6, 9, 9});
    const std::uint32_t active = builder.node("Relu", {sum}, {1, 6, 9, 9});
    const std::uint32_t pooled = builder.node("GlobalAveragePool", {active}, {1, 6, 1, 1});
    const std::uint32_t shape = builder.constant("shape", std::vector<std::int64_t>{1, 6});
    const std::uint32_t flat = builder.node("Reshape", {pooled, shape}, {1, 6});
    const std::uint32_t weights =
        builder.constant("fc", testing::Shape{4, 6}, random.numbers(24, -1, 1));
    const std::uint32_t bias =
        builder.constant("fc_bias", testing::Shape{4}, random.numbers(4, -1, 1));
    scores = builder.node("Gemm", {flat, weights, bias}, {1, 4}, {{"transB", std::int64_t{1}}});
    builder.output(scores);
    if (!quantized) return;
    builder.quantize(input, 2.0f / 255, 128);
    builder.quantize(relu, 3.0f / 255, 0);
    builder.quantize(second, 4.0f / 255, 120);
    builder.quantize(active, 4.0f / 255, 0);
    builder.quantize(pooled, 2.0f / 255, 0);
    builder.quantize(flat, 2.0f / 255, 0);
    builder.quantize(weights, 0, std::vector<float>(4, 1.0f / 127), std::vector<std::int32_t>(4, 0),
                     true);
    builder.quantize(scores, 8.0f / 255, 128);
  }

  std::vector<float> samples(std::uint32_t count) const {
    return Random(12).numbers(static_cast<std::int64_t>(count) * 6 * 81, -1, 1);
  }
};

TEST(Executable, gives_the_same_for_any_batch) {
  for (const bool quantized : {false, true}) {
    Residual model(quantized);
    const std::vector<float> samples = model.samples(16);
    const auto all = execute(model.builder, {samples}, {.batch = 16}).front();
    ASSERT_EQ(all.size(), 64u);
    for (std::size_t i = 0; i < 16; ++i) {
      const std::vector<float> one(samples.begin() + static_cast<std::ptrdiff_t>(i * 486),
                                   samples.begin() + static_cast<std::ptrdiff_t>((i + 1) * 486));
      const auto single = execute(model.builder, {one}).front();
      for (std::size_t c = 0; c < 4; ++c)
        EXPECT_NEAR(single[c], all[i * 4 + c], quantized ? 0 : 1e-6);
    }
  }
}

TEST(Executable, gives_the_same_bits_for_any_number_of_threads) {
  for (const bool quantized : {false, true}) {
    Residual model(quantized);
    const std::vector<float> samples = model.samples(24);
    const auto one = execute(model.builder, {samples}, {.batch = 24, .threads = 1});
    EXPECT_EQ(execute(model.builder, {samples}, {.batch = 24, .threads = 2}), one);
    EXPECT_EQ(execute(model.builder, {samples}, {.batch = 24, .threads = 5}), one);
  }
}

TEST(Executable, plain_and_fast_paths_agree_on_a_whole_model) {
  Residual model(true);
  const std::vector<float> samples = model.samples(8);
  EXPECT_EQ(execute(model.builder, {samples}, {.batch = 8, .path = Path::plain}),
            execute(model.builder, {samples}, {.batch = 8, .path = Path::fast}));
}

TEST(Executable, shows_values_that_would_be_fused_away) {
  Residual model(false);
  const std::vector<float> samples = model.samples(1);
  HowToRun how;
  how.extra_outputs = {model.first, model.relu, model.sum, model.input};
  const auto results = execute(model.builder, {samples}, how);
  ASSERT_EQ(results.size(), 5u);
  EXPECT_EQ(results[4], samples);
  bool any_negative = false;
  for (std::size_t i = 0; i < results[1].size(); ++i) {
    any_negative = any_negative || results[1][i] < 0;
    EXPECT_EQ(results[2][i], std::max(results[1][i], 0.0f));
  }
  EXPECT_TRUE(any_negative);
  const auto fused = execute(model.builder, {samples}).front();
  for (std::size_t i = 0; i < fused.size(); ++i) EXPECT_NEAR(results[0][i], fused[i], 1e-6);
}

TEST(Executable, quantized_extra_outputs_are_multiples_of_their_scale) {
  Residual model(true);
  HowToRun how;
  how.extra_outputs = {model.relu};
  const auto results = execute(model.builder, {model.samples(1)}, how);
  for (const float x : results[1]) {
    const float steps = x / (3.0f / 255);
    EXPECT_NEAR(steps, std::round(steps), 1e-4);
  }
}

TEST(Executable, names_the_node_and_operator_it_cannot_run) {
  GraphBuilder builder;
  const std::uint32_t x = builder.input("x", {1, 4});
  builder.output(builder.node("LSTM", {x}, {1, 4}));
  try {
    execute(builder, {{1, 2, 3, 4}});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code, ADZE_UNIMPLEMENTED);
    EXPECT_THAT(error.what(), ::testing::HasSubstr("'node0' (LSTM)"));
  }
}

TEST(Executable, refuses_inputs_of_another_shape) {
  Residual model(false);
  Program program = make_program(*model.builder.graph(), Rounding::half_even);
  program.batch = 2;
  Executable executable(std::move(program), {});
  const testing::Shape shape{1, 6, 9, 9}, strides = strides_of(shape);
  const std::vector<float> data = model.samples(1);
  const adze_tensor tensor{data.data(),    1, 0, 4, ADZE_FLOAT, 32, 1, shape.data(),
                           strides.data(), 0};
  const adze_tensor* const inputs[] = {&tensor};
  EXPECT_THROW(executable.run(inputs, 1, [](const auto&) {}), Error);
}

TEST(ProgramFile, gives_back_the_same_program) {
  Residual model(true);
  Program program = make_program(*model.builder.graph(), Rounding::half_up);
  program.batch = 3;
  const std::vector<std::uint8_t> bytes = serialize(program);
  Program again = parse_program(bytes);
  EXPECT_EQ(serialize(again), bytes);
  Executable first(std::move(program), {}), second(std::move(again), {});
  const std::vector<float> samples = model.samples(3);
  EXPECT_EQ(execute(first, {samples}), execute(second, {samples}));
}

/// Anything may come back but a crash; a program that parses must be refused or run.
void try_program(const std::vector<std::uint8_t>& bytes, const std::vector<float>& samples) {
  try {
    Program program = parse_program(bytes);
    if (program.batch > 4) return;
    Executable executable(std::move(program), {});
    execute(executable, {samples});
  } catch (const Error&) {
  } catch (const std::bad_alloc&) {
  }
}

TEST(ProgramFile, refuses_every_truncation) {
  Residual model(true);
  const std::vector<std::uint8_t> bytes =
      serialize(make_program(*model.builder.graph(), Rounding::half_even));
  for (std::size_t size = 0; size < bytes.size(); size += 1 + size / 50)
    EXPECT_THROW(parse_program({bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)}),
                 Error)
        << size;
}

TEST(ProgramFile, survives_changed_bytes) {
  Residual model(true);
  const std::vector<std::uint8_t> bytes =
      serialize(make_program(*model.builder.graph(), Rounding::half_even));
  const std::vector<float> samples = model.samples(4);
  Random random(13);
  for (int i = 0; i < 1500; ++i) {
    std::vector<std::uint8_t> changed = bytes;
    for (std::int64_t k = random.integer(1, 3); k > 0; --k)
      changed[static_cast<std::size_t>(
          random.integer(0, static_cast<std::int64_t>(bytes.size()) - 1))] =
          static_cast<std::uint8_t>(random.integer(0, 255));
    try_program(changed, {samples.begin(), samples.begin() + 486});
  }
}

TEST(ProgramFile, refuses_deep_nesting_without_recursion) {
  EXPECT_THROW(parse_program(std::vector<std::uint8_t>(10'000'000, 0x81)), Error);
  EXPECT_THROW(parse_program({}), Error);
}

}  // namespace
}  // namespace adze::exec
