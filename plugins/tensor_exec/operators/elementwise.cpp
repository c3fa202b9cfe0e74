// Functions of two or more elements of any type, with broadcasting: arithmetic, comparison, logic,
// and Max, Min, Sum, Mean of any number of operands. Arithmetic of two floats has a faster kernel
// in binary.cpp.
#include <cmath>

#include "plugins/tensor_exec/operators/all.hpp"
#include "plugins/tensor_exec/operators/broadcast.hpp"
#include "plugins/tensor_exec/operators/wrapping.hpp"
#include "plugins/tensor_exec/types.hpp"

namespace adze::exec {
namespace {

/// dst[i] = f(a[i * a_step], b[i * b_step])
using PairLoop = void (*)(const std::byte* a, std::int64_t a_step, const std::byte* b,
                          std::int64_t b_step, std::byte* dst, std::int64_t count);

template <class A, class B, class Result, auto function>
void pair_loop(const std::byte* a, std::int64_t a_step, const std::byte* b, std::int64_t b_step,
               std::byte* dst, std::int64_t count) {
  const auto* left = reinterpret_cast<const A*>(a);
  const auto* right = reinterpret_cast<const B*>(b);
  auto* result = reinterpret_cast<Result*>(dst);
  for (std::int64_t i = 0; i < count; ++i)
    result[i] = function(left[i * a_step], right[i * b_step]);
}

template <class T>
bool is_nan(T a) {
  if constexpr (std::is_floating_point_v<T>) return std::isnan(a);
  return false;
}
template <class T>
T greater_one(T a, T b) {
  return a > b || is_nan(a) ? a : b;
}
template <class T>
T lesser_one(T a, T b) {
  return a < b || is_nan(a) ? a : b;
}

template <class T, class E>
T power(T base, E exponent) {
  if constexpr (std::is_integral_v<T>) {
    const auto whole = static_cast<double>(exponent);
    if (whole >= 0 && whole < 64 && whole == std::floor(whole)) {
      T result = 1;
      for (int i = 0; i < static_cast<int>(whole); ++i) result = times(result, base);
      return result;
    }
    return converted<T>(std::pow(static_cast<double>(base), whole));
  } else {
    return static_cast<T>(std::pow(base, static_cast<T>(exponent)));
  }
}

/// The sign of the divisor, as in Python.
template <class T>
T modulo(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    return a - b * std::floor(a / b);
  } else if constexpr (std::is_unsigned_v<T>) {
    return static_cast<T>(a % b);
  } else {
    if (b == -1) return 0;
    const T rest = static_cast<T>(a % b);
    return rest != 0 && (rest < 0) != (b < 0) ? static_cast<T>(rest + b) : rest;
  }
}

/// The sign of the dividend, as in C.
template <class T>
T remainder_of(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    if constexpr (std::is_signed_v<T>) {
      if (b == -1) return 0;
    }
    return static_cast<T>(a % b);
  } else {
    return std::fmod(a, b);
  }
}

template <class T>
T shifted_left(T a, T b) {
  return b >= 8 * sizeof(T) ? T{0} : static_cast<T>(static_cast<Wrapping<T>>(a) << b);
}
template <class T>
T shifted_right(T a, T b) {
  return b >= 8 * sizeof(T) ? T{0} : static_cast<T>(a >> b);
}

template <class T>
std::uint8_t equal(T a, T b) {
  return a == b;
}
template <class T>
std::uint8_t less(T a, T b) {
  return a < b;
}
template <class T>
std::uint8_t less_or_equal(T a, T b) {
  return a <= b;
}
template <class T>
std::uint8_t greater(T a, T b) {
  return a > b;
}
template <class T>
std::uint8_t greater_or_equal(T a, T b) {
  return a >= b;
}

std::uint8_t both(std::uint8_t a, std::uint8_t b) { return a != 0 && b != 0; }
std::uint8_t either(std::uint8_t a, std::uint8_t b) { return a != 0 || b != 0; }
std::uint8_t one_of(std::uint8_t a, std::uint8_t b) { return (a != 0) != (b != 0); }

template <class T>
PairLoop arithmetic_loop(std::string_view op) {
  if (op == "Add" || op == "Sum" || op == "Mean") return pair_loop<T, T, T, plus<T>>;
  if (op == "Sub") return pair_loop<T, T, T, minus<T>>;
  if (op == "Mul") return pair_loop<T, T, T, times<T>>;
  if (op == "Div") return pair_loop<T, T, T, divided<T>>;
  if (op == "Max") return pair_loop<T, T, T, greater_one<T>>;
  if (op == "Min") return pair_loop<T, T, T, lesser_one<T>>;
  if (op == "Equal") return pair_loop<T, T, std::uint8_t, equal<T>>;
  if (op == "Less") return pair_loop<T, T, std::uint8_t, less<T>>;
  if (op == "LessOrEqual") return pair_loop<T, T, std::uint8_t, less_or_equal<T>>;
  if (op == "Greater") return pair_loop<T, T, std::uint8_t, greater<T>>;
  if (op == "GreaterOrEqual") return pair_loop<T, T, std::uint8_t, greater_or_equal<T>>;
  return nullptr;
}

bool is_logical(std::string_view op) { return op == "And" || op == "Or" || op == "Xor"; }
bool is_comparison(std::string_view op) {
  return op == "Equal" || op.starts_with("Less") || op.starts_with("Greater");
}
bool takes_any_number_of_operands(std::string_view op) {
  return op == "Max" || op == "Min" || op == "Sum" || op == "Mean";
}

/// Integers that are divided by.
bool has_integer_divisor(const Site& site) {
  return (site.node.op == "Div" || site.node.op == "Mod") && !is_float(site.type(site.input(0)));
}

/// The form in which operand `index` is read: the exponent of Pow may be of another type than the
/// base, and is then a float.
Form operand_form(const Site& site, std::size_t index) {
  const std::uint32_t input = site.input(index);
  const bool other = site.node.op == "Pow" && site.type(input) != site.type(site.input(0));
  return index == 1 && other ? Form{} : site.own_form(input);
}

PairLoop pair_loop_of(const Site& site) {
  const std::string& op = site.node.op;
  const DType type = site.type(site.input(0));
  if (is_logical(op)) {
    if (type != DType::boolean) site.malformed("its inputs are not bool");
    return op == "And"  ? pair_loop<std::uint8_t, std::uint8_t, std::uint8_t, both>
           : op == "Or" ? pair_loop<std::uint8_t, std::uint8_t, std::uint8_t, either>
                        : pair_loop<std::uint8_t, std::uint8_t, std::uint8_t, one_of>;
  }
  if (type == DType::boolean && op != "Equal") site.malformed("it does not compute with bool");
  return with_number(type, [&]<class T>(TypeTag<T>) -> PairLoop {
    if (op == "Pow")
      return site.type(site.input(1)) == type ? pair_loop<T, T, T, power<T, T>>
                                              : pair_loop<T, float, T, power<T, float>>;
    if (op == "Mod") {
      if (site.node.integer("fmod", 0) != 0) return pair_loop<T, T, T, remainder_of<T>>;
      if (is_float(type)) site.malformed("floats need fmod = 1");
      return pair_loop<T, T, T, modulo<T>>;
    }
    if (op == "BitShift") {
      if constexpr (std::is_unsigned_v<T>) {
        const std::string direction = site.node.text("direction", "");
        if (direction == "LEFT") return pair_loop<T, T, T, shifted_left<T>>;
        if (direction == "RIGHT") return pair_loop<T, T, T, shifted_right<T>>;
        site.malformed("its direction is '" + direction + "', neither LEFT nor RIGHT");
      }
      site.malformed("it shifts unsigned integers only");
    }
    return arithmetic_loop<T>(op);
  });
}

class ElementwiseKernel final : public Kernel {
 public:
  struct Problem {
    PairLoop loop;
    Broadcast walk;
    std::vector<std::size_t> widths;  ///< bytes of an element of each operand
    std::size_t result_width;
    std::size_t divisor_count = 0;  ///< integers to look for a 0 in
    std::string node;
  };
  explicit ElementwiseKernel(Problem problem) : problem_(std::move(problem)) {}

  void run(const Run& run) const override {
    check_divisor(run);
    const Broadcast& walk = problem_.walk;
    parallel_for(run.threads, walk.rows(), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        std::byte* dst =
            run.outputs[0] + static_cast<std::size_t>(row * walk.width()) * problem_.result_width;
        const std::byte* left = operand(run, 0, row);
        std::int64_t left_step = walk.step(0);
        for (std::size_t i = 1; i < problem_.widths.size(); ++i) {
          problem_.loop(left, left_step, operand(run, i, row), walk.step(i), dst, walk.width());
          left = dst;
          left_step = 1;
        }
      }
    });
  }

 private:
  const std::byte* operand(const Run& run, std::size_t index, std::int64_t row) const {
    return run.inputs[index] +
           static_cast<std::size_t>(problem_.walk.start(index, row)) * problem_.widths[index];
  }
  void check_divisor(const Run& run) const {
    const std::size_t width = problem_.widths.back();
    const std::byte zero[8] = {};
    for (std::size_t i = 0; i < problem_.divisor_count; ++i)
      if (std::memcmp(run.inputs[1] + i * width, zero, width) == 0)
        throw Error(ADZE_INVALID_ARGUMENT, problem_.node + ": divides an integer by 0");
  }

  Problem problem_;
};

/// One operand as it is, or each element divided by how many were added up.
class ShareKernel final : public Kernel {
 public:
  ShareKernel(DType type, std::int64_t count, std::size_t operands)
      : type_(type), count_(count), operands_(operands) {}
  void run(const Run& run) const override {
    with_number(type_, [&]<class T>(TypeTag<T>) {
      const auto* src = reinterpret_cast<const T*>(run.inputs[0]);
      auto* dst = reinterpret_cast<T*>(run.outputs[0]);
      for (std::int64_t i = 0; i < count_; ++i) dst[i] = divided(src[i], static_cast<T>(operands_));
    });
  }

 private:
  DType type_;
  std::int64_t count_;
  std::size_t operands_;
};

/// Adds up, then divides.
class MeanOfOperandsKernel final : public Kernel {
 public:
  MeanOfOperandsKernel(std::unique_ptr<Kernel> sum, std::unique_ptr<Kernel> share)
      : sum_(std::move(sum)), share_(std::move(share)) {}
  void run(const Run& run) const override {
    sum_->run(run);
    const std::byte* sums = run.outputs[0];
    share_->run({&sums, run.outputs, run.scratch, run.threads});
  }

 private:
  std::unique_ptr<Kernel> sum_, share_;
};

std::vector<Shape> operand_shapes(const Site& site) {
  std::vector<Shape> shapes;
  for (std::size_t i = 0; i < site.node.inputs.size(); ++i)
    shapes.push_back(site.shape(site.input(i)));
  return shapes;
}

bool has_fast_kernel(const Site& site) {
  const std::string& op = site.node.op;
  return (op == "Add" || op == "Sub" || op == "Mul" || op == "Div") &&
         site.node.inputs.size() == 2 && site.type(site.input(0)) == DType::f32 &&
         site.type(site.input(1)) == DType::f32 && site.type(site.output) == DType::f32;
}

}  // namespace

void check_elementwise(const Site& site) {
  const std::string& op = site.node.op;
  if (has_fast_kernel(site)) return check_binary(site);
  if (site.node.inputs.empty() ||
      (!takes_any_number_of_operands(op) && site.node.inputs.size() != 2))
    site.malformed("it has " + std::to_string(site.node.inputs.size()) + " inputs");
  const DType type = site.type(site.input(0));
  for (std::size_t i = 1; i < site.node.inputs.size(); ++i)
    if (site.type(site.input(i)) != type && op != "Pow")
      site.malformed(std::string("its inputs are of ") + name_of(type) + " and " +
                     name_of(site.type(site.input(i))));
  const DType result = is_comparison(op) || is_logical(op) ? DType::boolean : type;
  if (site.type(site.output) != result)
    site.malformed(std::string("its output is ") + name_of(site.type(site.output)) + ", not " +
                   name_of(result));
  pair_loop_of(site);
  site.expect_output_shape(broadcast_shape(site, operand_shapes(site)));
}

Planned plan_elementwise(const Site& site) {
  if (has_fast_kernel(site)) return plan_binary(site);
  Planned planned;
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < site.node.inputs.size(); ++i) {
    const std::uint32_t input = site.input(i);
    const Form form = operand_form(site, i);
    planned.inputs.push_back({input, form});
    widths.push_back(form.storage == Storage::f32 ? sizeof(float) : size_of(site.type(input)));
  }
  planned.outputs = {{site.output, site.own_form(site.output)}};
  const DType type = site.type(site.output);
  const std::int64_t count = element_count(site.output_shape());
  if (widths.size() == 1) {
    planned.kernel = std::make_unique<ShareKernel>(type, count, 1);
    return planned;
  }
  const std::size_t operands = widths.size();
  ElementwiseKernel::Problem problem{pair_loop_of(site),
                                     Broadcast(site.output_shape(), operand_shapes(site)),
                                     std::move(widths),
                                     size_of(type),
                                     0,
                                     "node '" + site.node.name + "' (" + site.node.op + ")"};
  if (has_integer_divisor(site))
    problem.divisor_count = static_cast<std::size_t>(element_count(site.shape(site.input(1))));
  planned.kernel = std::make_unique<ElementwiseKernel>(std::move(problem));
  if (site.node.op == "Mean")
    planned.kernel = std::make_unique<MeanOfOperandsKernel>(
        std::move(planned.kernel), std::make_unique<ShareKernel>(type, count, operands));
  return planned;
}

}  // namespace adze::exec
