// Functions of one element: limits, and those of the first opsets.
#include <array>

#include "plugins/tensor_exec/operators/all.hpp"
#include "plugins/tensor_exec/operators/one_element.hpp"

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

  float operator()(float x) const {
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
        return 1.0f / (1.0f + std::exp(-x));
      case Kind::tanh:
        return std::tanh(x);
    }
    return x;
  }

 private:
  static float limited(float x, float low, float high) {
    const float raised = x < low ? low : x;
    return raised > high ? high : raised;
  }
};

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

}  // namespace adze::exec
