// Add, Sub, Mul, Div with broadcasting. Quantized operands are dequantized, combined in float and
// quantized, block by block.
#include <algorithm>
#include <array>

#include "plugins/tensor_exec/operators/all.hpp"
#include "plugins/tensor_exec/rows.hpp"

namespace adze::exec {
namespace {

constexpr std::int64_t kBlock = 512;  ///< elements that stay in the first-level cache

enum class Function : std::uint8_t { add, sub, mul, div };

Function binary_function(const Site& site) {
  const std::string& op = site.node.op;
  return op == "Add"   ? Function::add
         : op == "Sub" ? Function::sub
         : op == "Mul" ? Function::mul
                       : Function::div;
}

ADZE_MULTIVERSION
void combine(Function function, const float* a, const float* b, std::int64_t count, float* dst) {
  switch (function) {
    case Function::add:
      for (std::int64_t i = 0; i < count; ++i) dst[i] = a[i] + b[i];
      return;
    case Function::sub:
      for (std::int64_t i = 0; i < count; ++i) dst[i] = a[i] - b[i];
      return;
    case Function::mul:
      for (std::int64_t i = 0; i < count; ++i) dst[i] = a[i] * b[i];
      return;
    case Function::div:
      for (std::int64_t i = 0; i < count; ++i) dst[i] = a[i] / b[i];
  }
}

/// Quantized operands and result, in one pass: the same numbers as block by block.
struct Bytes {
  const std::uint8_t *a, *b;
  std::uint8_t* dst;
  std::int64_t count;
  Quant8 from_a, from_b, to;
  Clamp clamp;
};

template <Rounding rounding, class Combine>
[[gnu::always_inline]] inline void combine_each(const Bytes& bytes, const Combine& combine_two) {
  const Bytes all = bytes;
  for (std::int64_t i = 0; i < all.count; ++i) {
    const float x = combine_two(dequantize(all.a[i], all.from_a), dequantize(all.b[i], all.from_b));
    const float raised = x < all.clamp.low ? all.clamp.low : x;
    const float limited = raised > all.clamp.high ? all.clamp.high : raised;
    all.dst[i] = to_u8<rounding>(limited / all.to.scale, all.to);
  }
}

template <Rounding rounding>
[[gnu::always_inline]] inline void combine_by(Function function, const Bytes& bytes) {
  switch (function) {
    case Function::add:
      return combine_each<rounding>(bytes, [](float x, float y) { return x + y; });
    case Function::sub:
      return combine_each<rounding>(bytes, [](float x, float y) { return x - y; });
    case Function::mul:
      return combine_each<rounding>(bytes, [](float x, float y) { return x * y; });
    case Function::div:
      return combine_each<rounding>(bytes, [](float x, float y) { return x / y; });
  }
}

ADZE_MULTIVERSION
void combine_half_even(Function function, const Bytes& bytes) {
  combine_by<Rounding::half_even>(function, bytes);
}
ADZE_MULTIVERSION
void combine_half_up(Function function, const Bytes& bytes) {
  combine_by<Rounding::half_up>(function, bytes);
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
  Function function;
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
        all_bytes_(problem_.output &&
                   std::ranges::all_of(problem_.operands, [](const Operand& operand) {
                     return operand.quant && operand.strides.back() == 1;
                   })) {}

  void run(const Run& run) const override {
    const std::int64_t width = problem_.sizes.back();
    const std::int64_t rows = width == 0 ? 0 : element_count(problem_.sizes) / width;
    if (rows == 1) {
      parallel_for(run.threads, width,
                   [&](std::int64_t begin, std::int64_t end) { row(run, 0, begin, end); });
      return;
    }
    parallel_for(run.threads, rows, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) row(run, i, 0, width);
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

  void row(const Run& run, std::int64_t index, std::int64_t begin, std::int64_t end) const {
    std::array<float, kBlock> a, b, result;
    const std::int64_t width = problem_.sizes.back();
    const std::int64_t start[2] = {start_of(problem_.operands[0], index),
                                   start_of(problem_.operands[1], index)};
    if (all_bytes_) {
      const auto* left = reinterpret_cast<const std::uint8_t*>(run.inputs[0]) + start[0] + begin;
      const auto* right = reinterpret_cast<const std::uint8_t*>(run.inputs[1]) + start[1] + begin;
      auto* dst = reinterpret_cast<std::uint8_t*>(run.outputs[0]) + index * width + begin;
      const Bytes bytes{left,
                        right,
                        dst,
                        end - begin,
                        *problem_.operands[0].quant,
                        *problem_.operands[1].quant,
                        *problem_.output,
                        problem_.clamp};
      return problem_.rounding == Rounding::half_even ? combine_half_even(problem_.function, bytes)
                                                      : combine_half_up(problem_.function, bytes);
    }
    for (std::int64_t at = begin; at < end; at += kBlock) {
      const std::int64_t count = std::min(kBlock, end - at);
      const auto operand = [&](std::size_t i, float* buffer) {
        const Operand& from = problem_.operands[i];
        return from.load(run.inputs[i], start[i] + at * from.strides.back(), count, buffer);
      };
      const float* left = operand(0, a.data());
      const float* right = operand(1, b.data());
      const std::int64_t to = index * width + at;
      float* floats =
          problem_.output ? result.data() : reinterpret_cast<float*>(run.outputs[0]) + to;
      combine(problem_.function, left, right, count, floats);
      const auto length = static_cast<std::size_t>(count);
      if (problem_.clamp.any()) clamp_row(floats, length, problem_.clamp.low, problem_.clamp.high);
      if (problem_.output)
        quantize_row(floats, length, *problem_.output, problem_.rounding,
                     reinterpret_cast<std::uint8_t*>(run.outputs[0]) + to);
    }
  }

  Problem problem_;
  bool all_bytes_;  ///< a quantized result of quantized operands that lie as it does
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
  Problem problem{
      binary_function(site), in_memory_order(out, layout), {}, site.quant8(site.output), site.clamp,
      site.program.rounding};
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

}  // namespace adze::exec
