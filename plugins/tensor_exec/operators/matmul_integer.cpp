// MatMulInteger and QLinearMatMul, exactly: sums of integers, rounded once.
#include <algorithm>

#include "plugins/tensor_exec/memory.hpp"
#include "plugins/tensor_exec/operators/all.hpp"
#include "plugins/tensor_exec/operators/integers.hpp"
#include "plugins/tensor_exec/operators/matmul.hpp"

namespace adze::exec {
namespace {

struct IntegerMatMul {
  bool is_rounded = false;  ///< QLinearMatMul
  std::int64_t stacks = 1, rows = 1, depth = 1, columns = 1;
  std::vector<std::int64_t> a_starts, b_starts;  ///< first element of each stack's matrix
  DType a_type = DType::u8, b_type = DType::u8, y_type = DType::i32;
  std::int64_t a_count = 0, b_count = 0;
  ParameterList a_list, b_list;  ///< of the zero points
  bool scale_by_row = false, scale_by_column = false;
  bool has_a_zero = false, has_b_zero = false;
  Rounding rounding = Rounding::half_even;
  std::size_t a_bytes = 0, b_bytes = 0;
};

/// First element of the matrix in each place of the stack.
std::vector<std::int64_t> starts_of(const Shape& own, const Shape& result) {
  std::vector<std::int64_t> starts{0};
  const Shape strides = strides_of(own);
  for (std::size_t axis = 0; axis + 2 < result.size(); ++axis) {
    std::vector<std::int64_t> next;
    for (const std::int64_t start : starts)
      for (std::int64_t i = 0; i < result[axis]; ++i)
        next.push_back(start + (own[axis] == 1 ? 0 : i * strides[axis]));
    starts = std::move(next);
  }
  return starts;
}

IntegerMatMul integer_matmul(const Site& site) {
  IntegerMatMul problem;
  problem.is_rounded = site.node.op == "QLinearMatMul";
  const std::size_t b = problem.is_rounded ? 3 : 1, a_zero = 2, b_zero = problem.is_rounded ? 5 : 3;
  const MatrixStacks stacks = matrix_stacks(site, 0, b);
  const std::size_t rank = stacks.result.size();
  problem.rows = stacks.result[rank - 2];
  problem.columns = stacks.result[rank - 1];
  problem.depth = stacks.a[rank - 1];
  problem.a_starts = starts_of(stacks.a, stacks.result);
  problem.b_starts = starts_of(stacks.b, stacks.result);
  problem.stacks = static_cast<std::int64_t>(problem.a_starts.size());
  expect_bytes(site, site.input(0));
  expect_bytes(site, site.input(b));
  problem.a_type = site.type(site.input(0));
  problem.b_type = site.type(site.input(b));
  problem.y_type = site.type(site.output);
  problem.a_count = element_count(stacks.a);
  problem.b_count = element_count(stacks.b);
  problem.a_bytes = aligned(static_cast<std::size_t>(problem.a_count) * sizeof(std::uint32_t));
  problem.b_bytes = aligned(static_cast<std::size_t>(problem.b_count) * sizeof(std::uint32_t));
  problem.rounding = site.program.rounding;
  problem.has_a_zero = site.has_input(a_zero);
  problem.has_b_zero = site.has_input(b_zero);
  expect_type(site, a_zero, problem.a_type);
  expect_type(site, b_zero, problem.b_type);
  const auto at_least_one = [](std::int64_t count) { return std::max<std::int64_t>(count, 1); };
  if (problem.has_a_zero && is_by_channel(site, a_zero, problem.rows))
    problem.a_list = {at_least_one(problem.rows), at_least_one(problem.depth)};
  if (problem.has_b_zero && is_by_channel(site, b_zero, problem.columns))
    problem.b_list = {at_least_one(problem.columns), 1};
  if (!problem.is_rounded) {
    if (problem.y_type != DType::i32) site.malformed("its output is no int32");
    return problem;
  }
  expect_bytes(site, site.output);
  for (const std::size_t scale : {std::size_t{1}, std::size_t{4}, std::size_t{6}})
    if (site.type(site.input(scale)) != DType::f32) site.malformed("a scale is no float32");
  problem.scale_by_row = is_by_channel(site, 1, problem.rows);
  problem.scale_by_column = is_by_channel(site, 4, problem.columns);
  is_by_channel(site, 6, 1);
  is_by_channel(site, 7, 1);
  expect_type(site, 7, problem.y_type);
  if (!problem.has_a_zero || !problem.has_b_zero) site.malformed("a zero point is missing");
  return problem;
}

class IntegerMatMulKernel final : public Kernel {
 public:
  explicit IntegerMatMulKernel(IntegerMatMul problem) : problem_(std::move(problem)) {}

  void run(const Run& run) const override {
    const IntegerMatMul& p = problem_;
    auto* a = reinterpret_cast<std::uint32_t*>(run.scratch);
    auto* b = reinterpret_cast<std::uint32_t*>(run.scratch + p.a_bytes);
    auto* sums = reinterpret_cast<std::uint32_t*>(run.scratch + p.a_bytes + p.b_bytes);
    const std::size_t b_input = p.is_rounded ? 3 : 1;
    const std::size_t b_zero = p.is_rounded ? 5 : p.has_a_zero ? 3 : 2;
    subtract_zero_points(p.a_type, run.inputs[0], p.a_count, p.has_a_zero ? run.inputs[2] : nullptr,
                         p.a_list, a);
    subtract_zero_points(p.b_type, run.inputs[b_input], p.b_count,
                         p.has_b_zero ? run.inputs[b_zero] : nullptr, p.b_list, b);
    parallel_for(run.threads, p.stacks * p.rows, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const auto stack = static_cast<std::size_t>(i / p.rows);
        std::uint32_t* to = sums + i * p.columns;
        std::fill(to, to + p.columns, 0u);
        const std::uint32_t* row = a + p.a_starts[stack] + i % p.rows * p.depth;
        const std::uint32_t* matrix = b + p.b_starts[stack];
        for (std::int64_t k = 0; k < p.depth; ++k)
          for (std::int64_t n = 0; n < p.columns; ++n) to[n] += row[k] * matrix[k * p.columns + n];
        finish(run, i, to);
      }
    });
  }

 private:
  void finish(const Run& run, std::int64_t row, const std::uint32_t* sums) const {
    const IntegerMatMul& p = problem_;
    const std::int64_t first = row * p.columns;
    if (!p.is_rounded) {
      std::copy(sums, sums + p.columns, reinterpret_cast<std::uint32_t*>(run.outputs[0]) + first);
      return;
    }
    const auto scale = [&](std::size_t input, std::int64_t index) {
      return reinterpret_cast<const float*>(run.inputs[input])[index];
    };
    const std::int64_t zero = integer_at(p.y_type, run.inputs[7], 0);
    for (std::int64_t n = 0; n < p.columns; ++n) {
      const float factor = scale(1, p.scale_by_row ? row % p.rows : 0) *
                           scale(4, p.scale_by_column ? n : 0) / scale(6, 0);
      store_rounded(p.y_type, static_cast<float>(static_cast<std::int32_t>(sums[n])) * factor, zero,
                    p.rounding, first + n, run.outputs[0]);
    }
  }

  IntegerMatMul problem_;
};

}  // namespace

void check_integer_matmul(const Site& site) { integer_matmul(site); }

Planned plan_integer_matmul(const Site& site) {
  IntegerMatMul problem = integer_matmul(site);
  Planned planned;
  for (std::size_t i = 0; i < site.node.inputs.size(); ++i)
    if (site.has_input(i)) planned.inputs.push_back({site.input(i), site.own_form(site.input(i))});
  planned.outputs = {{site.output, site.own_form(site.output)}};
  planned.scratch_bytes =
      problem.a_bytes + problem.b_bytes +
      static_cast<std::size_t>(element_count(site.output_shape())) * sizeof(std::uint32_t);
  planned.kernel = std::make_unique<IntegerMatMulKernel>(std::move(problem));
  return planned;
}

}  // namespace adze::exec
