// Values of other types than float32: they keep every bit on their way through the executor.
#include "plugins/tensor_exec/types.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plugins/tensor_exec/half.hpp"
#include "tests/unit/tensor_exec/execute.hpp"

namespace adze::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Type {
  std::uint8_t code, bits;
};
constexpr Type kInt64{ADZE_INT, 64}, kInt32{ADZE_INT, 32}, kUint8{ADZE_UINT, 8},
    kBool{ADZE_BOOL, 8}, kFloat16{ADZE_FLOAT, 16}, kFloat64{ADZE_FLOAT, 64};

void set_type(GraphBuilder& builder, std::uint32_t value, Type type) {
  builder.value(value).code = type.code;
  builder.value(value).bits = type.bits;
}

/// Runs the graph on inputs of any types; the bytes of its first output as T.
template <class T, class... Inputs>
std::vector<T> run_typed(exec::Program program, const std::vector<Inputs>&... inputs) {
  exec::Executable executable(std::move(program), {});
  const std::vector<const void*> data = {inputs.data()...};
  std::vector<Shape> shapes, strides;
  std::vector<adze_tensor> tensors;
  std::vector<const adze_tensor*> pointers;
  for (const std::uint32_t value : executable.program().inputs) {
    const exec::Value& whole = executable.program().values[value];
    shapes.push_back(batched(whole.shape, executable.program().batch, whole.batch_axis));
    strides.push_back(exec::strides_of(shapes.back()));
  }
  for (std::size_t i = 0; i < data.size(); ++i) {
    const exec::Value& whole = executable.program().values[executable.program().inputs[i]];
    const auto [code, bits] = exec::abi_type_of(whole.dtype, whole.half);
    tensors.push_back({data[i], 1, 0, static_cast<std::int32_t>(shapes[i].size()), code, bits, 1,
                       shapes[i].data(), strides[i].data(), 0});
  }
  for (const adze_tensor& tensor : tensors) pointers.push_back(&tensor);
  std::vector<T> output;
  executable.run(pointers, 1, [&](const exec::Executable::Result& result) {
    const auto* elements = reinterpret_cast<const T*>(result.bytes.data());
    output.assign(elements, elements + result.bytes.size() / sizeof(T));
  });
  return output;
}

exec::Program program_of(GraphBuilder& builder, std::uint32_t batch = 1) {
  exec::Program program = exec::make_program(*builder.graph(), exec::Rounding::half_even);
  program.batch = batch;
  return program;
}

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

struct BinaryGraph {
  BinaryGraph(const std::string& op, Type type, const Shape& a, const Shape& b, Type result) {
    const std::uint32_t left = builder.input("a", a, -1), right = builder.input("b", b, -1);
    set_type(builder, left, type);
    set_type(builder, right, type);
    const std::uint32_t out = builder.node(op, {left, right}, a, {}, 13, -1);
    set_type(builder, out, result);
    builder.output(out);
  }
  GraphBuilder builder;
};

TEST(ElementTypes, int64_sums_are_exact_and_wrap_around) {
  BinaryGraph graph("Add", kInt64, {2, 2}, {2}, kInt64);
  constexpr std::int64_t kLarge = (std::int64_t{1} << 53) + 1;
  constexpr std::int64_t kHighest = std::numeric_limits<std::int64_t>::max();
  EXPECT_THAT(run_typed<std::int64_t>(program_of(graph.builder),
                                      std::vector<std::int64_t>{kLarge, kHighest, 1, 2},
                                      std::vector<std::int64_t>{2, 1}),
              ElementsAre(kLarge + 2, std::numeric_limits<std::int64_t>::min(), 3, 3));
}

TEST(ElementTypes, comparisons_give_bool) {
  BinaryGraph graph("Less", kUint8, {3}, {1}, kBool);
  EXPECT_THAT(
      run_typed<std::uint8_t>(program_of(graph.builder), std::vector<std::uint8_t>{1, 200, 255},
                              std::vector<std::uint8_t>{200}),
      ElementsAre(1, 0, 0));
}

TEST(ElementTypes, an_integer_division_by_0_names_the_node) {
  BinaryGraph graph("Div", kInt32, {2}, {2}, kInt32);
  EXPECT_THAT(run_typed<std::int32_t>(program_of(graph.builder), std::vector<std::int32_t>{-7, 8},
                                      std::vector<std::int32_t>{2, -1}),
              ElementsAre(-3, -8));
  EXPECT_THAT(error_of([&] {
                run_typed<std::int32_t>(program_of(graph.builder), std::vector<std::int32_t>{1, 1},
                                        std::vector<std::int32_t>{1, 0});
              }),
              HasSubstr("node 'node0' (Div)"));
}

TEST(ElementTypes, operands_of_different_types_are_refused) {
  BinaryGraph graph("Add", kInt32, {2}, {2}, kInt32);
  set_type(graph.builder, 1, kInt64);
  EXPECT_THAT(error_of([&] { exec::Executable(program_of(graph.builder), {}); }),
              HasSubstr("int32 and int64"));
}

TEST(ElementTypes, an_index_out_of_range_names_the_node) {
  GraphBuilder builder;
  const std::uint32_t data = builder.input("data", {3}, -1), index = builder.input("i", {2}, -1);
  set_type(builder, index, kInt64);
  builder.output(builder.node("Gather", {data, index}, {2}, {}, 13, -1));
  const std::vector<float> numbers = {10, 20, 30};
  EXPECT_THAT(run_typed<float>(program_of(builder), numbers, std::vector<std::int64_t>{-1, 0}),
              ElementsAre(30, 10));
  EXPECT_THAT(error_of([&] {
                run_typed<float>(program_of(builder), numbers, std::vector<std::int64_t>{3, 0});
              }),
              HasSubstr("node 'node0' (Gather): index 3 is out of range"));
}

TEST(ElementTypes, a_batch_of_integers_is_put_together_in_order) {
  GraphBuilder builder;
  const std::uint32_t data = builder.input("data", {1, 2});
  set_type(builder, data, kInt64);
  const std::uint32_t out = builder.node("Neg", {data}, {1, 2});
  set_type(builder, out, kInt64);
  builder.output(out);
  EXPECT_THAT(
      run_typed<std::int64_t>(program_of(builder, 3), std::vector<std::int64_t>{1, 2, 3, 4, 5, 6}),
      ElementsAre(-1, -2, -3, -4, -5, -6));
}

TEST(ElementTypes, a_sum_over_the_batch_is_refused) {
  GraphBuilder builder;
  const std::uint32_t data = builder.input("data", {1, 2});
  const std::uint32_t axes = builder.constant("axes", std::vector<std::int64_t>{0});
  builder.output(builder.node("ReduceSum", {data, axes}, {1, 2}, {}, 13, -1));
  EXPECT_THAT(error_of([&] { exec::Executable(program_of(builder, 2), {}); }),
              HasSubstr("mixes the samples"));
}

TEST(ElementTypes, survive_the_program_file) {
  GraphBuilder builder;
  const std::uint32_t data = builder.input("data", {2}, -1);
  set_type(builder, data, kFloat16);
  const std::uint32_t out = builder.node("Cast", {data}, {2}, {}, 13, -1);
  set_type(builder, out, kFloat64);
  builder.output(out);
  const exec::Program program = exec::parse_program(exec::serialize(program_of(builder)));
  EXPECT_EQ(program.values[data].half, exec::Half::f16);
  EXPECT_EQ(program.values[out].dtype, exec::DType::f64);
  EXPECT_THAT(run_typed<double>(program, std::vector<std::uint16_t>{0x3C00, 0x3555}),
              ElementsAre(1.0, 0.333251953125));
}

TEST(ElementTypes, outputs_of_16_bits_are_rounded_half_to_even) {
  GraphBuilder builder;
  const std::uint32_t data = builder.input("data", {3}, -1);
  const std::uint32_t out = builder.node("Cast", {data}, {3}, {}, 13, -1);
  set_type(builder, out, kFloat16);
  builder.output(out);
  // 1 + 2^-11 and 1 + 3 * 2^-11 lie between two halves; 1e6 beyond the largest.
  EXPECT_THAT(run_typed<std::uint16_t>(program_of(builder),
                                       std::vector<float>{1 + 0x1p-11f, 1 + 3 * 0x1p-11f, 1e6f}),
              ElementsAre(0x3C00, 0x3C02, 0x7C00));
}

TEST(ElementTypes, every_half_comes_back_as_it_was) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    if ((bits & 0x7C00u) != 0x7C00u || (bits & 0x3FFu) == 0) {
      EXPECT_EQ(exec::to_f16(exec::from_f16(half)), half);
    }
    if ((bits & 0x7F80u) != 0x7F80u || (bits & 0x7Fu) == 0) {
      EXPECT_EQ(exec::to_bf16(exec::from_bf16(half)), half);
    }
  }
}

TEST(ElementTypes, casts_limit_floats_to_the_range_of_integers) {
  EXPECT_EQ(exec::converted<std::int64_t>(1e30), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(exec::converted<std::int64_t>(-1e30), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(exec::converted<std::uint8_t>(-1.5f), 0);
  EXPECT_EQ(exec::converted<std::int32_t>(-1.5f), -1);
  EXPECT_EQ(exec::converted<std::int32_t>(std::nanf("")), 0);
}

TEST(ElementTypes, pads_mirror_repeat_fill_and_cut) {
  const auto padded = [](const std::string& mode, std::vector<std::int64_t> amounts,
                         std::int64_t size) {
    GraphBuilder builder;
    const std::uint32_t data = builder.input("data", {3}, -1);
    set_type(builder, data, kInt32);
    const std::uint32_t pads = builder.constant("pads", std::move(amounts));
    const std::uint32_t out = builder.node("Pad", {data, pads}, {size}, {{"mode", mode}}, 13, -1);
    set_type(builder, out, kInt32);
    builder.output(out);
    return run_typed<std::int32_t>(program_of(builder), std::vector<std::int32_t>{1, 2, 3});
  };
  EXPECT_THAT(padded("constant", {1, 2}, 6), ElementsAre(0, 1, 2, 3, 0, 0));
  EXPECT_THAT(padded("edge", {2, 1}, 6), ElementsAre(1, 1, 1, 2, 3, 3));
  EXPECT_THAT(padded("reflect", {2, 2}, 7), ElementsAre(3, 2, 1, 2, 3, 2, 1));
  EXPECT_THAT(padded("constant", {-1, 0}, 2), ElementsAre(2, 3));
  EXPECT_THAT(error_of([&] { padded("constant", {-2, -2}, 0); }), HasSubstr("node 'node0' (Pad)"));
}

}  // namespace
}  // namespace adze::testing
