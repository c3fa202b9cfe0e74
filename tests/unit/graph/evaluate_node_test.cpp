#include "host/graph/evaluate_node.hpp"

#include <limits>
#include <map>

namespace adze::host {
namespace {

using testing::ElementsAre;

Tensor matrix() {
  const float elements[] = {1, 2, 3, 4, 5, 6};
  return {DType::f32, {2, 3}, std::span<const float>(elements)};
}

std::optional<std::vector<Tensor>> evaluate(const std::string& op,
                                            const std::vector<Tensor>& inputs,
                                            std::map<std::string, Attribute> attributes = {},
                                            std::size_t outputs = 1) {
  Node node;
  node.op = op;
  node.attributes = std::move(attributes);
  node.outputs.resize(outputs);
  std::vector<const Tensor*> pointers;
  for (const Tensor& input : inputs) pointers.push_back(&input);
  return evaluate_node(node, pointers);
}

TEST(EvaluateNode, moves_elements) {
  using Ints = std::vector<std::int64_t>;
  const auto transposed = evaluate("Transpose", {matrix()}, {{"perm", Ints{1, 0}}});
  EXPECT_EQ((*transposed)[0].shape(), (Shape{3, 2}));
  EXPECT_THAT(to_f32((*transposed)[0]), ElementsAre(1, 4, 2, 5, 3, 6));

  const auto gathered =
      evaluate("Gather", {matrix(), vector_tensor({-1, 0})}, {{"axis", std::int64_t{1}}});
  EXPECT_THAT(to_f32((*gathered)[0]), ElementsAre(3, 1, 6, 4));

  const auto joined = evaluate("Concat", {matrix(), matrix()}, {{"axis", std::int64_t{1}}});
  EXPECT_THAT(to_f32((*joined)[0]), ElementsAre(1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6));

  const auto expanded = evaluate("Expand", {Tensor(DType::u8, {2, 1}), vector_tensor({3, 1, 4})});
  EXPECT_EQ((*expanded)[0].shape(), (Shape{3, 2, 4}));

  const auto parts =
      evaluate("Split", {matrix(), vector_tensor({1, 2})}, {{"axis", std::int64_t{1}}}, 2);
  EXPECT_THAT(to_f32((*parts)[0]), ElementsAre(1, 4));
  EXPECT_THAT(to_f32((*parts)[1]), ElementsAre(2, 3, 5, 6));
}

TEST(EvaluateNode, slices_forwards_and_backwards) {
  const auto slice = [](std::int64_t start, std::int64_t end, std::int64_t step) {
    const Tensor from = vector_tensor({0, 1, 2, 3, 4, 5, 6});
    const auto result = evaluate("Slice", {from, vector_tensor({start}), vector_tensor({end}),
                                           vector_tensor({0}), vector_tensor({step})});
    return *integers((*result)[0]);
  };
  constexpr std::int64_t kFar = std::numeric_limits<std::int64_t>::max();
  EXPECT_THAT(slice(1, 6, 2), ElementsAre(1, 3, 5));
  EXPECT_THAT(slice(-2, kFar, 1), ElementsAre(5, 6));
  EXPECT_THAT(slice(-1, -kFar, -1), ElementsAre(6, 5, 4, 3, 2, 1, 0));
  EXPECT_THAT(slice(5, 1, -3), ElementsAre(5, 2));
  EXPECT_THAT(slice(5, 1, 1), ElementsAre());
  EXPECT_THAT(slice(100, 200, 1), ElementsAre());
}

TEST(EvaluateNode, reshape_copies_and_infers) {
  EXPECT_EQ((*evaluate("Reshape", {matrix(), vector_tensor({0, -1, 1})}))[0].shape(),
            (Shape{2, 3, 1}));
  EXPECT_FALSE(evaluate("Reshape", {matrix(), vector_tensor({4, -1})}));
  EXPECT_FALSE(evaluate("Reshape", {matrix(), vector_tensor({-1, -1})}));
}

TEST(EvaluateNode, nonsense_is_left_alone) {
  EXPECT_FALSE(evaluate("Gather", {matrix(), vector_tensor({7})}));
  EXPECT_FALSE(evaluate("Transpose", {matrix()}, {{"perm", std::vector<std::int64_t>{0, 0}}}));
  EXPECT_FALSE(evaluate("Concat", {matrix(), vector_tensor({1})}, {{"axis", std::int64_t{0}}}));
  EXPECT_FALSE(evaluate("Add", {matrix(), vector_tensor({1})}));
  EXPECT_FALSE(evaluate("Squeeze", {matrix(), vector_tensor({0})}));
  EXPECT_FALSE(evaluate("Conv", {matrix(), matrix()}));
  EXPECT_FALSE(evaluate("ConstantOfShape", {vector_tensor({1 << 30, 1 << 30})}));
  EXPECT_FALSE(evaluate("Expand", {matrix(), vector_tensor({1 << 20, 2, 3})})) << "too large";
}

TEST(EvaluateNode, computes_with_broadcasting) {
  const float column[] = {10, 20};
  const auto sum =
      evaluate("Add", {matrix(), Tensor(DType::f32, {2, 1}, std::span<const float>(column))});
  EXPECT_THAT(to_f32((*sum)[0]), ElementsAre(11, 12, 13, 24, 25, 26));
  const auto equal = evaluate("Equal", {vector_tensor({1, 2}), vector_tensor({1, 3})});
  EXPECT_EQ((*equal)[0].dtype(), DType::boolean);
  EXPECT_THAT((*equal)[0].as<std::uint8_t>(), ElementsAre(1, 0));
  const auto chosen =
      evaluate("Where", {(*equal)[0], vector_tensor({5, 6}), vector_tensor({7, 8})});
  EXPECT_THAT(*integers((*chosen)[0]), ElementsAre(5, 8));
  EXPECT_THAT(*integers((*evaluate("Div", {vector_tensor({-7}), vector_tensor({2})}))[0]),
              ElementsAre(-3));
}

TEST(EvaluateNode, uniform_stays_uniform) {
  const Tensor uniform = Tensor::uniform(DType::f32, {1000, 1000}, 4);
  const auto root = evaluate("Sqrt", {uniform});
  EXPECT_TRUE((*root)[0].is_uniform());
  EXPECT_EQ((*root)[0].as<float>()[999'999], 2.0f);
  const auto cast = evaluate("Cast", {uniform}, {{"to", std::int64_t{6}}});
  EXPECT_TRUE((*cast)[0].is_uniform());
  EXPECT_EQ((*cast)[0].as<std::int32_t>()[5], 4);
}

}  // namespace
}  // namespace adze::host
