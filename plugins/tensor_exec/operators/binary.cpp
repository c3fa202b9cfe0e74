// Add, Sub, Mul, Div with broadcasting. Quantized operands are dequantized, combined in float and
// quantized, block by block.
#include <algorithm>
#include <array>

#include "plugins/tensor_exec/bytes.hpp"
#include "plugins/tensor_exec/operators/all.hpp"
#include "plugins/tensor_exec/rows.hpp"

namespace adze::exec {
namespace {

constexpr std::int64_t kBlock = 512;  ///< elements that stay in the first-level cache

BinaryOperation combination_of(const Site& site) {
  const std::string& op = site.node.op;
  return op == "Add"   ? BinaryOperation::add
         : op == "Sub" ? BinaryOperation::sub
         : op == "Mul" ? BinaryOperation::mul
                       : BinaryOperation::div;
}

/// Rows of two operands, and what is made of them.
struct Rows {
  const float *a, *b;
  float* dst;
  std::int64_t rows, width;
  std::int64_t a_step = 0, b_step = 0;  ///< from row to row
};

template <class Combine>
[[gnu::always_inline]] inline void combine_each(const Rows& given, const Combine& combine_two) {
  const Rows all = given;
  for (std::int64_t row = 0; row < all.rows; ++row) {
    const float *a = all.a + row * all.a_step, *b = all.b + row * all.b_step;
    float* dst = all.dst + row * all.width;
    for (std::int64_t i = 0; i < all.width; ++i) dst[i] = combine_two(a[i], b[i]);
  }
}

ADZE_MULTIVERSION
void combine(BinaryOperation combination, const Rows& rows) {
  switch (combination) {
    case BinaryOperation::add:
      return combine_each(rows, [](float x, float y) { return x + y; });
    case BinaryOperation::sub:
      return combine_each(rows, [](float x, float y) { return x - y; });
    case BinaryOperation::mul:
      return combine_each(rows, [](float x, float y) { return x * y; });
    case BinaryOperation::div:
      return combine_each(rows, [](float x, float y) { return x / y; });
  }
}

struct Operand {
  std::optional<Quant8> quant;
  Shape strides;  ///< in elements, by axis of the result in memory order; 0 where broadcast

  /// Puts `count` elements along the last axis, from element `at` on, into `buffer` as floats, or
  /// returns them where they are.
  const float* load(const std::byte* data, std::int64_t at, std::int64_t count,
                    float* buffer) const {
    const std::int64_t step = strides.back();
    if (quant) {
      const auto* q = reinterpret_cast<const std::uint8_t*>(data) + at;
      if (step == 1) {
        dequantize_row(q, static_cast<std::size_t>(count), *quant, buffer);
      } else {
        for (std::int64_t i = 0; i < count; ++i) buffer[i] = dequantize(q[i * step], *quant);
      }
      return buffer;
    }
    const auto* x = reinterpret_cast<const float*>(data) + at;
    if (step == 1) return x;
    for (std::int64_t i = 0; i < count; ++i) buffer[i] = x[i * step];
    return buffer;
  }
};

struct Problem {
  BinaryOperation combination;
  Shape sizes;  ///< of the result, in memory order
  std::array<Operand, 2> operands;
  std::optional<Quant8> output;
  Clamp clamp;
  Rounding rounding;
};

class BinaryKernel final : public Kernel {
 public:
  explicit BinaryKernel(Problem problem)
      : problem_(std::move(problem)),
        combine_bytes_(combine_bytes(problem_.combination, problem_.rounding)) {
    const auto lie_as_the_result = [&](bool quantized) {
      return std::ranges::all_of(problem_.operands, [&](const Operand& operand) {
        return operand.quant.has_value() == quantized && operand.strides.back() == 1;
      });
    };
    all_bytes_ = problem_.output && lie_as_the_result(true);
    all_floats_ = !problem_.output && lie_as_the_result(false);
  }

  void run(const Run& run) const override {
    const std::int64_t width = problem_.sizes.back();
    const std::int64_t rows = width == 0 ? 0 : element_count(problem_.sizes) / width;
    if (rows == 1) {
      parallel_for(run.threads, width,
                   [&](std::int64_t begin, std::int64_t end) { some_rows(run, 0, 1, begin, end); });
      return;
    }
    // Rows along the axis before the last lie equally far apart.
    const std::int64_t near = problem_.sizes[problem_.sizes.size() - 2];
    parallel_for(run.threads, rows, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin, count = 0; row < end; row += count) {
        count = std::min(end - row, near - row % near);
        some_rows(run, row, count, 0, width);
      }
    });
  }

 private:
  std::int64_t start_of(const Operand& operand, std::int64_t row) const {
    std::int64_t at = 0;
    for (std::size_t axis = problem_.sizes.size() - 1; axis-- > 0;) {
      at += row % problem_.sizes[axis] * operand.strides[axis];
      row /= problem_.sizes[axis];
    }
    return at;
  }

  static std::int64_t row_step(const Operand& operand) {
    return operand.strides.size() < 2 ? 0 : operand.strides[operand.strides.size() - 2];
  }

  /// Elements from `begin` to `end` of neighbouring rows.
  void some_rows(const Run& run, std::int64_t first, std::int64_t rows, std::int64_t begin,
                 std::int64_t end) const {
    const Operand &a = problem_.operands[0], &b = problem_.operands[1];
    const std::int64_t a_start = start_of(a, first), b_start = start_of(b, first);
    const std::int64_t to = first * problem_.sizes.back() + begin, count = end - begin;
    if (all_bytes_) {
      const auto* left = reinterpret_cast<const std::uint8_t*>(run.inputs[0]) + a_start + begin;
      const auto* right = reinterpret_cast<const std::uint8_t*>(run.inputs[1]) + b_start + begin;
      auto* dst = reinterpret_cast<std::uint8_t*>(run.outputs[0]) + to;
      return combine_bytes_({left, right, dst, rows, count, row_step(a), row_step(b), *a.quant,
                             *b.quant, *problem_.output, problem_.clamp});
    }
    if (all_floats_) {
      auto* dst = reinterpret_cast<float*>(run.outputs[0]) + to;
      combine(problem_.combination,
              {reinterpret_cast<const float*>(run.inputs[0]) + a_start + begin,
               reinterpret_cast<const float*>(run.inputs[1]) + b_start + begin, dst, rows, count,
               row_step(a), row_step(b)});
      // Several rows are whole: they lie behind each other.
      if (problem_.clamp.any())
        clamp_row(dst, static_cast<std::size_t>(rows * count), problem_.clamp.low,
                  problem_.clamp.high);
      return;
    }
    for (std::int64_t row = 0; row < rows; ++row)
      blocks(run, a_start + row * row_step(a), b_start + row * row_step(b),
             to + row * problem_.sizes.back() - begin, begin, end);
  }

  void blocks(const Run& run, std::int64_t a_start, std::int64_t b_start, std::int64_t row_start,
              std::int64_t begin, std::int64_t end) const {
    std::array<float, kBlock> a, b, result;
    const std::int64_t start[2] = {a_start, b_start};
    for (std::int64_t at = begin; at < end; at += kBlock) {
      const std::int64_t count = std::min(kBlock, end - at);
      const auto operand = [&](std::size_t i, float* buffer) {
        const Operand& from = problem_.operands[i];
        return from.load(run.inputs[i], start[i] + at * from.strides.back(), count, buffer);
      };
      const float* left = operand(0, a.data());
      const float* right = operand(1, b.data());
      const std::int64_t to = row_start + at;
      float* floats =
          problem_.output ? result.data() : reinterpret_cast<float*>(run.outputs[0]) + to;
      combine(problem_.combination, {left, right, floats, 1, count});
      const auto length = static_cast<std::size_t>(count);
      if (problem_.clamp.any()) clamp_row(floats, length, problem_.clamp.low, problem_.clamp.high);
      if (problem_.output)
        quantize_row(floats, length, *problem_.output, problem_.rounding,
                     reinterpret_cast<std::uint8_t*>(run.outputs[0]) + to);
    }
  }

  Problem problem_;
  CombineBytes combine_bytes_;
  bool all_bytes_ = false;   ///< a quantized result of quantized operands that lie as it does
  bool all_floats_ = false;  ///< the same in floats
};

/// Joins neighbouring axes through which all operands walk with one stride.
void join_axes(Problem& problem) {
  const Shape sizes = problem.sizes;
  std::array<Shape, 2> strides{problem.operands[0].strides, problem.operands[1].strides};
  problem.sizes.clear();
  for (Operand& operand : problem.operands) operand.strides.clear();
  for (std::size_t axis = 0; axis < sizes.size(); ++axis) {
    if (sizes[axis] == 1) continue;
    bool joins = !problem.sizes.empty();
    for (std::size_t i = 0; i < 2 && joins; ++i)
      joins = problem.operands[i].strides.back() == strides[i][axis] * sizes[axis];
    if (joins) {
      problem.sizes.back() *= sizes[axis];
    } else {
      problem.sizes.push_back(sizes[axis]);
      for (Operand& operand : problem.operands) operand.strides.push_back(0);
    }
    for (std::size_t i = 0; i < 2; ++i) problem.operands[i].strides.back() = strides[i][axis];
  }
  if (problem.sizes.empty()) {
    problem.sizes.push_back(1);
    for (Operand& operand : problem.operands) operand.strides.push_back(1);
  }
}

Shape broadcast(const Site& site, const Shape& a, const Shape& b) {
  Shape result(std::max(a.size(), b.size()), 1);
  for (std::size_t i = 0; i < result.size(); ++i) {
    const std::int64_t left = i < a.size() ? a[a.size() - 1 - i] : 1;
    const std::int64_t right = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (left != right && left != 1 && right != 1)
      site.malformed("shapes " + to_string(a) + " and " + to_string(b) + " do not broadcast");
    result[result.size() - 1 - i] = left == 1 ? right : left;
  }
  return result;
}

}  // namespace

void check_binary(const Site& site) {
  site.expect_output_shape(broadcast(site, site.shape(site.input(0)), site.shape(site.input(1))));
}

Planned plan_binary(const Site& site) {
  const Shape out = site.output_shape();
  // The layout of the first computed operand that is not broadcast.
  Layout layout = Layout::plain;
  for (const std::size_t i : {std::size_t{1}, std::size_t{0}}) {
    const std::uint32_t input = site.input(i);
    if (site.shape(input) == out && !site.value(input).is_constant())
      layout = site.existing_layout(input);
  }
  Problem problem{combination_of(site), in_memory_order(out, layout), {}, site.quant8(site.output),
                  site.clamp,           site.program.rounding};
  Planned planned;
  for (std::size_t i = 0; i < 2; ++i) {
    const std::uint32_t input = site.input(i);
    const Shape shape = site.shape(input);
    const Form form = site.natural_form(input, shape == out ? layout : Layout::plain);
    planned.inputs.push_back({input, form});
    Operand& operand = problem.operands[i];
    if (form.storage == Storage::u8) operand.quant = site.quant8(input);
    const Shape own = memory_strides(shape, form.layout);
    for (const std::size_t axis : axis_order(out.size(), layout)) {
      const std::size_t missing = out.size() - shape.size();
      const bool repeated = axis < missing || shape[axis - missing] == 1;
      operand.strides.push_back(repeated ? 0 : own[axis - missing]);
    }
  }
  planned.outputs = {{site.output, {problem.output ? Storage::u8 : Storage::f32, layout}}};
  join_axes(problem);
  planned.kernel = std::make_unique<BinaryKernel>(std::move(problem));
  return planned;
}

RowFunction binary_row(const Site& site) {
  return [combination = combination_of(site)](const float* a, const float* b, float* dst,
                                              std::int64_t count) {
    combine(combination, {a, b, dst, 1, count});
  };
}

}  // namespace adze::exec
