// Functions of one element: limits, and those of the first opsets.
#include <array>

#include "plugins/tensor_exec/avx2_functions.hpp"
#include "plugins/tensor_exec/operators/all.hpp"
#include "plugins/tensor_exec/operators/one_element.hpp"
#include "plugins/tensor_exec/operators/vector_math.hpp"

namespace adze::exec {
namespace {

struct Function {
  enum class Kind : std::uint8_t {
    clamp,
    elu,
    hard_sigmoid,
    hard_swish,
    leaky_relu,
    sigmoid,
    tanh
  };
  Kind kind = Kind::clamp;
  Clamp limits;
  float alpha = 0, beta = 0;

  void apply(const float* src, float* dst, std::int64_t count) const;

  [[gnu::always_inline]] float operator()(float x) const {
    switch (kind) {
      case Kind::clamp:
        return limited(x, limits.low, limits.high);
      case Kind::elu:
        return x < 0 ? alpha * std::expm1(x) : x;
      case Kind::hard_sigmoid:
        return limited(alpha * x + beta, 0.0f, 1.0f);
      case Kind::hard_swish:
        return x * limited(x / 6.0f + 0.5f, 0.0f, 1.0f);
      case Kind::leaky_relu:
        return x < 0 ? alpha * x : x;
      case Kind::sigmoid:
        return logistic(x);
      case Kind::tanh:
        return hyperbolic_tangent(x);
    }
    return x;
  }

 private:
  static float limited(float x, float low, float high) {
    const float raised = x < low ? low : x;
    return raised > high ? high : raised;
  }
};

/// The kind is known to the loop.
template <Function::Kind kind>
[[gnu::always_inline]] inline void apply_kind(const Function& given, const float* src, float* dst,
                                              std::int64_t count) {
  Function function = given;
  function.kind = kind;
  for (std::int64_t i = 0; i < count; ++i) dst[i] = function(src[i]);
}

ADZE_MULTIVERSION
void apply_all(const Function& function, const float* src, float* dst, std::int64_t count) {
  using Kind = Function::Kind;
  switch (function.kind) {
    case Kind::clamp:
      return apply_kind<Kind::clamp>(function, src, dst, count);
    case Kind::elu:
      return apply_kind<Kind::elu>(function, src, dst, count);
    case Kind::hard_sigmoid:
      return apply_kind<Kind::hard_sigmoid>(function, src, dst, count);
    case Kind::hard_swish:
      return apply_kind<Kind::hard_swish>(function, src, dst, count);
    case Kind::leaky_relu:
      return apply_kind<Kind::leaky_relu>(function, src, dst, count);
    case Kind::sigmoid:
      return apply_kind<Kind::sigmoid>(function, src, dst, count);
    case Kind::tanh:
      return apply_kind<Kind::tanh>(function, src, dst, count);
  }
}

void Function::apply(const float* src, float* dst, std::int64_t count) const {
  apply_all(*this, src, dst, count);
}

Function function_of(const Site& site) {
  const std::string& op = site.node.op;
  const auto number = [&](const char* key, double fallback) {
    return static_cast<float>(site.node.number(key, fallback));
  };
  if (op == "Relu" || op == "Clip") {
    const auto clamp = clamp_of(site.program, site.node);
    if (!clamp) site.refuse("its limits are computed");
    return {Function::Kind::clamp, *clamp};
  }
  if (op == "Elu") return {Function::Kind::elu, {}, number("alpha", 1.0)};
  if (op == "HardSigmoid")
    return {Function::Kind::hard_sigmoid, {}, number("alpha", 0.2), number("beta", 0.5)};
  if (op == "HardSwish") return {Function::Kind::hard_swish, {}};
  if (op == "LeakyRelu") return {Function::Kind::leaky_relu, {}, number("alpha", 0.01)};
  if (op == "Sigmoid") return {Function::Kind::sigmoid, {}};
  return {Function::Kind::tanh, {}};
}

}  // namespace

void check_unary(const Site& site) {
  function_of(site);
  site.expect_output_shape(site.shape(site.input(0)));
}

Planned plan_unary(const Site& site) { return plan_one_element(site, function_of(site)); }

RowFunction unary_row(const Site& site) { return row_of(function_of(site)); }

}  // namespace adze::exec
