// What a model may say that no model should: an error that names the node, or the correct result,
// and in finite time and memory.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <limits>

#include "tests/unit/tensor_exec/execute.hpp"

namespace adze::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Ints = std::vector<std::int64_t>;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// The error of compiling the graph for one sample with this much memory, or "".
std::string refusal(GraphBuilder& builder, std::uint64_t memory_limit_bytes = 0) {
  exec::Options options;
  options.memory_limit_bytes = memory_limit_bytes;
  try {
    const exec::Executable executable(
        exec::make_program(*builder.graph(), exec::Rounding::half_even), options);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(BadInput, a_value_larger_than_the_memory_limit_is_refused_with_its_node) {
  GraphBuilder builder;
  const auto x = builder.input("x", {1, 16});
  builder.output(builder.node("Expand", {x, builder.constant("shape", {1024, 1024, 16})},
                              {1024, 1024, 16}, {}, 13, -1));
  EXPECT_THAT(refusal(builder, 32 << 20),
              AllOf(HasSubstr("node 'node0' (Expand)"), HasSubstr("1024x1024x16"),
                    HasSubstr("64 MiB"), HasSubstr("32 MiB")));
  EXPECT_EQ(refusal(builder, 256 << 20), "");
}

TEST(BadInput, values_that_are_too_large_together_are_refused) {
  GraphBuilder builder;
  const auto x = builder.input("x", {1 << 20});
  const auto a = builder.node("Relu", {x}, {1 << 20}), b = builder.node("Sigmoid", {x}, {1 << 20});
  builder.output(builder.node("Concat", {a, b}, {2 << 20}, {{"axis", std::int64_t{0}}}, 13, -1));
  EXPECT_THAT(refusal(builder, 10 << 20), HasSubstr("memory_limit_mib"));
}

TEST(BadInput, sizes_whose_product_overflows_are_refused_with_the_node) {
  constexpr std::int64_t kHuge = std::int64_t{1} << 33;
  for (const Shape& shape : {Shape{kHuge, kHuge}, Shape{1 << 20, 1 << 20}, Shape{0, kHuge}}) {
    GraphBuilder builder;
    const auto x = builder.input("x", {1});
    builder.output(builder.node("Expand", {x}, shape, {}, 13, -1));
    EXPECT_THAT(refusal(builder), AllOf(HasSubstr("node 'node0' (Expand)"), HasSubstr("2^31")));
  }
}

TEST(BadInput, windows_that_are_mostly_padding_are_computed_in_time) {
  constexpr std::int64_t kLarge = 1 << 20;
  for (const char* op : {"MaxPool", "AveragePool", "LpPool"}) {
    GraphBuilder builder;
    const auto x = builder.input("x", {1, 1, 2, 2});
    Attributes attributes{{"kernel_shape", Ints{kLarge, kLarge}},
                          {"pads", Ints{kLarge, kLarge, kLarge, kLarge}},
                          {"strides", Ints{kLarge, kLarge}}};
    builder.output(builder.node(op, {x}, {1, 1, 2, 2}, attributes));
    const auto got = execute(builder, {{1, 2, 3, 6}}).front();
    const float whole = std::string(op) == "MaxPool"       ? 6.0f
                        : std::string(op) == "AveragePool" ? 3.0f
                                                           : std::sqrt(50.0f);
    EXPECT_EQ(got.back(), whole) << op;
  }
}

TEST(BadInput, a_nan_among_quantized_weights_names_the_node) {
  GraphBuilder builder;
  const auto x = builder.input("x", {1, 2});
  const auto weights = builder.constant("w", {2, 1}, {1, kNan});
  builder.quantize(x, 0.1f, 128);
  builder.quantize(weights, 0.1f, 0, true);
  builder.output(builder.node("MatMul", {x, weights}, {1, 1}));
  EXPECT_THAT(refusal(builder),
              AllOf(HasSubstr("node 'node0' (MatMul)"), HasSubstr("'w'"), HasSubstr("NaN")));
}

TEST(BadInput, a_nan_in_the_bias_of_an_integer_layer_names_the_node) {
  GraphBuilder builder;
  const auto x = builder.input("x", {1, 2});
  const auto weights = builder.constant("w", {2, 1}, {1, 1});
  builder.quantize(x, 0.1f, 128);
  builder.quantize(weights, 0.1f, 0, true);
  builder.output(builder.node("Gemm", {x, weights, builder.constant("b", {1}, {kNan})}, {1, 1}));
  EXPECT_THAT(refusal(builder), AllOf(HasSubstr("node 'node0' (Gemm)"), HasSubstr("NaN")));
}

TEST(BadInput, a_nan_among_float_weights_comes_out_as_one) {
  GraphBuilder builder;
  const auto x = builder.input("x", {1, 2});
  builder.output(
      builder.node("MatMul", {x, builder.constant("w", {2, 2}, {1, kNan, 1, 1})}, {1, 2}));
  const auto got = execute(builder, {{1, 2}}).front();
  EXPECT_EQ(got[0], 3);
  EXPECT_TRUE(std::isnan(got[1]));
}

TEST(BadInput, scales_whose_product_is_0_keep_a_bias_of_0) {
  GraphBuilder builder;
  const auto x = builder.input("x", {1, 1});
  const auto weights = builder.constant("w", {1, 1}, {1e-30f});
  builder.quantize(x, 1e-30f, 128);
  builder.quantize(weights, 1e-30f, 0, true);
  builder.output(builder.node("Gemm", {x, weights, builder.constant("b", {1}, {0})}, {1, 1}));
  EXPECT_EQ(execute(builder, {{1e-30f}}).front().front(), 0);
}

TEST(BadInput, an_empty_axis_is_cut_backwards) {
  GraphBuilder builder;
  const auto x = builder.input("x", {0, 2}, -1);
  const auto start = builder.constant("s", {-1}), end = builder.constant("e", {-5}),
             axis = builder.constant("a", {0}), step = builder.constant("t", {-1});
  builder.output(builder.node("Slice", {x, start, end, axis, step}, {0, 2}, {}, 13, -1));
  EXPECT_TRUE(execute(builder, {{}}).front().empty());
}

TEST(BadInput, a_range_of_another_length_than_declared_is_an_error) {
  for (const std::int64_t declared : {3, 4}) {
    GraphBuilder builder;
    const auto start = builder.input("start", {}, -1);
    builder.output(builder.node(
        "Range", {start, builder.constant("l", {}, {3}), builder.constant("d", {}, {1})},
        {declared}, {}, 13, -1));
    if (declared == 3)
      EXPECT_EQ(execute(builder, {{0}}).front(), (std::vector<float>{0, 1, 2}));
    else
      EXPECT_THROW(execute(builder, {{0}}), Error);
  }
}

TEST(BadInput, ten_thousand_nodes_are_compiled_and_run_in_seconds) {
  GraphBuilder builder;
  auto x = builder.input("x", {1, 8});
  const auto one = builder.constant("one", {1}, {1});
  for (int i = 0; i < 5000; ++i) {
    x = builder.node("Sigmoid", {x}, {1, 8});
    x = builder.node("Add", {x, one}, {1, 8});
  }
  builder.output(x);
  const auto before = std::chrono::steady_clock::now();
  const auto got = execute(builder, {std::vector<float>(8, 0.5f)}).front();
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(20));
  EXPECT_NEAR(got.front(), 1.866, 0.001);  // where 1 + sigmoid(x) is x
}

}  // namespace
}  // namespace adze::testing
