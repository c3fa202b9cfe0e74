#include "host/calibrate/unfold.hpp"

#include "host/base/error.hpp"
#include "tests/unit/calibrate/graphs.hpp"

namespace adze::host {
namespace {

using Ints = std::vector<std::int64_t>;
using test::one_node;
using test::random_tensor;

struct Geometry {
  Ints input, kernel, strides, dilations, pads;
  std::int64_t channels = 1, groups = 1;
};

// The definition of ONNX's Conv, element by element; pads: begins, then ends. Rows of each group,
// the ones of the bias last.
std::vector<std::vector<float>> columns_by_definition(const Geometry& of, const Tensor& x) {
  const std::size_t axes = of.kernel.size();
  const bool flat = axes == 1;
  const auto pick = [&](const Ints& list, std::size_t axis, std::int64_t one) {
    return flat ? (axis == 0 ? one : list[0]) : list[axis];
  };
  std::int64_t in[2], k[2], s[2], d[2], p[2], out[2];
  for (std::size_t a = 0; a < 2; ++a) {
    in[a] = flat ? (a == 0 ? 1 : of.input[2]) : of.input[2 + a];
    k[a] = pick(of.kernel, a, 1);
    s[a] = pick(of.strides, a, 1);
    d[a] = pick(of.dilations, a, 1);
    p[a] = pick(of.pads, a, 0);
    const std::int64_t end = flat ? (a == 0 ? 0 : of.pads[1]) : of.pads[2 + a];
    out[a] = (in[a] + p[a] + end - d[a] * (k[a] - 1) - 1) / s[a] + 1;
  }
  std::vector<std::vector<float>> rows;
  const std::int64_t per_group = of.channels / of.groups;
  for (std::int64_t g = 0; g < of.groups; ++g) {
    for (std::int64_t c = g * per_group; c < (g + 1) * per_group; ++c)
      for (std::int64_t ky = 0; ky < k[0]; ++ky)
        for (std::int64_t kx = 0; kx < k[1]; ++kx) {
          std::vector<float>& row = rows.emplace_back();
          for (std::int64_t n = 0; n < of.input[0]; ++n)
            for (std::int64_t oy = 0; oy < out[0]; ++oy)
              for (std::int64_t ox = 0; ox < out[1]; ++ox) {
                const std::int64_t y = oy * s[0] + ky * d[0] - p[0];
                const std::int64_t z = ox * s[1] + kx * d[1] - p[1];
                const bool inside = y >= 0 && y < in[0] && z >= 0 && z < in[1];
                const std::int64_t at = ((n * of.channels + c) * in[0] + y) * in[1] + z;
                row.push_back(inside ? x.as<float>()[static_cast<std::size_t>(at)] : 0);
              }
        }
    rows.emplace_back(rows.back().size(), 1.0f);
  }
  return rows;
}

// All columns, filled in pieces of `piece`, with room to the right that must stay untouched.
std::vector<std::vector<float>> filled(const Unfold& unfold, const Tensor& x, std::int64_t piece) {
  const std::int64_t positions = unfold.positions(x.shape()), stride = positions + 3;
  std::vector<float> block(static_cast<std::size_t>(unfold.groups() * unfold.rows() * stride), -99);
  for (std::int64_t at = 0; at < positions; at += piece)
    unfold.fill(x.as<float>(), x.shape(), at, std::min(piece, positions - at), block.data() + at,
                stride);
  std::vector<std::vector<float>> rows;
  for (auto from = block.begin(); from != block.end(); from += stride) {
    rows.emplace_back(from, from + positions);
    for (std::int64_t i = positions; i < stride; ++i) EXPECT_EQ(from[i], -99);
  }
  return rows;
}

void check(const Geometry& geometry, std::map<std::string, Attribute> attributes) {
  const Tensor x = random_tensor(geometry.input, 3);
  Shape weight{2 * geometry.groups, geometry.channels / geometry.groups};
  weight.insert(weight.end(), geometry.kernel.begin(), geometry.kernel.end());
  const Unfold unfold(one_node("Conv", geometry.input, weight, std::move(attributes)), 0);
  const auto expected = columns_by_definition(geometry, x);
  EXPECT_EQ(filled(unfold, x, 1 << 20), expected);
  EXPECT_EQ(filled(unfold, x, 5), expected);
  EXPECT_EQ(filled(unfold, x, 1), expected);
}

std::map<std::string, Attribute> attributes_of(const Geometry& geometry) {
  return {{"strides", geometry.strides},
          {"dilations", geometry.dilations},
          {"pads", geometry.pads},
          {"group", geometry.groups}};
}

TEST(Unfold, of_2d_convolutions_follows_the_definition_of_onnx) {
  for (const std::int64_t kernel : {1, 2, 3})
    for (const std::int64_t stride : {1, 2, 3})
      for (const std::int64_t dilation : {1, 2})
        for (const std::int64_t pad : {0, 1, 3})
          for (const std::int64_t groups : {1, 2, 4}) {
            const Geometry geometry{.input = {2, 4, 7, 6},
                                    .kernel = {kernel, 2},
                                    .strides = {stride, 1 + stride % 2},
                                    .dilations = {dilation, 1},
                                    .pads = {pad, 1, 0, pad},
                                    .channels = 4,
                                    .groups = groups};
            check(geometry, attributes_of(geometry));
          }
}

TEST(Unfold, of_1d_convolutions_follows_the_definition_of_onnx) {
  for (const std::int64_t stride : {1, 2})
    for (const std::int64_t dilation : {1, 3})
      for (const std::int64_t groups : {1, 3}) {
        const Geometry geometry{.input = {2, 3, 9},
                                .kernel = {3},
                                .strides = {stride},
                                .dilations = {dilation},
                                .pads = {2, 1},
                                .channels = 3,
                                .groups = groups};
        check(geometry, attributes_of(geometry));
      }
}

TEST(Unfold, understands_auto_pad) {
  // 6 wide, kernel 3, stride 2: 3 outputs need one column of padding, which goes to the end
  // (upper) or the beginning (lower); 5 high, kernel 2, stride 1: one row.
  Geometry geometry{.input = {1, 2, 5, 6},
                    .kernel = {2, 3},
                    .strides = {1, 2},
                    .dilations = {1, 1},
                    .pads = {0, 0, 1, 1},
                    .channels = 2};
  const auto with = [&](const char* mode) {
    return std::map<std::string, Attribute>{{"strides", geometry.strides},
                                            {"auto_pad", std::string(mode)}};
  };
  check(geometry, with("SAME_UPPER"));
  geometry.pads = {1, 1, 0, 0};
  check(geometry, with("SAME_LOWER"));
  geometry.pads = {0, 0, 0, 0};
  check(geometry, with("VALID"));
}

TEST(Unfold, of_gemm_and_matmul_is_the_transposed_input) {
  const auto transposed = [](const Tensor& x, std::size_t width) {
    std::vector<std::vector<float>> rows(width + 1);
    for (std::size_t i = 0; i < static_cast<std::size_t>(x.count()); ++i)
      rows[i % width].push_back(x.as<float>()[i]);
    rows[width].assign(rows[0].size(), 1);
    return rows;
  };
  const Tensor x = random_tensor({5, 3}, 1), stacked = random_tensor({2, 4, 3}, 2);
  const Unfold gemm(one_node("Gemm", {5, 3}, {7, 3}, {{"transB", std::int64_t{1}}}), 0);
  EXPECT_EQ(filled(gemm, x, 2), transposed(x, 3));
  EXPECT_EQ(gemm.outputs(), 7);
  const Unfold matmul(one_node("MatMul", {2, 4, 3}, {3, 7}), 0);
  EXPECT_EQ(filled(matmul, stacked, 3), transposed(stacked, 3));
  EXPECT_EQ(matmul.outputs(), 7);

  const Unfold turned(one_node("Gemm", {3, 5}, {3, 7}, {{"transA", std::int64_t{1}}}), 0);
  const Tensor y = random_tensor({3, 5}, 3);
  const auto rows = filled(turned, y, 2);
  for (std::size_t i = 0; i < 15; ++i) EXPECT_EQ(rows[i / 5][i % 5], y.as<float>()[i]);
}

TEST(Unfold, refuses_what_has_no_columns) {
  Graph relu = one_node("Relu", {1, 4}, {4});
  EXPECT_THROW(Unfold(relu, 0), Error);
  Graph computed = one_node("MatMul", {1, 4}, {4, 4});
  computed.values[1].constant.reset();
  EXPECT_THROW(Unfold(computed, 0), Error);
  try {
    const Unfold volume(one_node("Conv", {1, 1, 4, 4, 4}, {1, 1, 3, 3, 3}), 0);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code, ADZE_UNIMPLEMENTED);
    EXPECT_THAT(error.what(), testing::HasSubstr("'layer'"));
  }
  const Unfold narrow(one_node("Conv", {1, 3, 4, 4}, {1, 3, 1, 1}), 0);
  EXPECT_THROW(narrow.positions({1, 4, 4, 4}), Error);
}

TEST(Unfold, of_an_input_smaller_than_the_kernel_has_no_columns) {
  const Unfold unfold(one_node("Conv", {1, 1, 2, 2}, {1, 1, 3, 3}), 0);
  EXPECT_EQ(unfold.positions({1, 1, 2, 2}), 0);
}

}  // namespace
}  // namespace adze::host
