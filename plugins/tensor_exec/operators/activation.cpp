// Activations that are no plain limits: Celu, Erf, Gelu, Mish, Selu, Shrink, Softplus, Softsign,
// Swish, ThresholdedRelu.
#include "plugins/tensor_exec/avx2_functions.hpp"
#include "plugins/tensor_exec/operators/all.hpp"
#include "plugins/tensor_exec/operators/one_element.hpp"
#include "plugins/tensor_exec/operators/vector_math.hpp"

namespace adze::exec {
namespace {

// The numbers of the ONNX specification.
constexpr double kSeluAlpha = 1.67326319217681884765625, kSeluGamma = 1.05070102214813232421875;

/// log(1 + exp(x)), for large |x| too.
float softplus(float x) { return std::max(x, 0.0f) + std::log1p(std::exp(-std::abs(x))); }

[[gnu::always_inline]] inline float gelu(float x) {
  return 0.5f * x * (1.0f + error_function(x * 0.70710678118654752f));
}

[[gnu::always_inline]] inline float gelu_by_tanh(float x) {
  constexpr float kRootOfTwoByPi = 0.79788456080286536f;
  return 0.5f * x * (1.0f + hyperbolic_tangent(kRootOfTwoByPi * (x + 0.044715f * x * x * x)));
}

/// x * tanh(log(1 + exp(x))), which is a ratio of polynomials of exp(x).
[[gnu::always_inline]] inline float mish(float x) {
  constexpr float kFlat = 20.0f;  // from there on the result is x
  const float power = exponential(x > kFlat ? kFlat : x);
  const float both = power * power + 2.0f * power;
  return x * (both / (both + 2.0f));
}

struct Activation {
  enum class Kind : std::uint8_t {
    celu,
    erf,
    gelu,
    gelu_by_tanh,
    mish,
    selu,
    shrink,
    softplus,
    softsign,
    swish,
    thresholded_relu
  };
  Kind kind = Kind::erf;
  float alpha = 1, gamma = 1;  ///< of Shrink: its lambd and bias

  void apply(const float* src, float* dst, std::int64_t count) const;

  [[gnu::always_inline]] float operator()(float x) const {
    switch (kind) {
      case Kind::celu:
        return x < 0 ? alpha * std::expm1(x / alpha) : x;
      case Kind::erf:
        return error_function(x);
      case Kind::gelu:
        return gelu(x);
      case Kind::gelu_by_tanh:
        return gelu_by_tanh(x);
      case Kind::mish:
        return mish(x);
      case Kind::selu:
        return gamma * (x > 0 ? x : alpha * std::expm1(x));
      case Kind::shrink:
        return x < -alpha ? x + gamma : x > alpha ? x - gamma : 0;
      case Kind::softplus:
        return softplus(x);
      case Kind::softsign:
        return x / (1.0f + std::abs(x));
      case Kind::swish:
        return x * logistic(alpha * x);
      case Kind::thresholded_relu:
        return x <= alpha ? 0 : x;
    }
    return x;
  }
};

/// The kind is known to the loop.
template <Activation::Kind kind>
[[gnu::always_inline]] inline void apply_kind(const Activation& given, const float* src, float* dst,
                                              std::int64_t count) {
  Activation function = given;
  function.kind = kind;
  for (std::int64_t i = 0; i < count; ++i) dst[i] = function(src[i]);
}

ADZE_MULTIVERSION
void apply_all(const Activation& function, const float* src, float* dst, std::int64_t count) {
  using Kind = Activation::Kind;
  switch (function.kind) {
    case Kind::erf:
      return error_function_row(src, dst, count);
    case Kind::gelu:
      return apply_kind<Kind::gelu>(function, src, dst, count);
    case Kind::gelu_by_tanh:
      return apply_kind<Kind::gelu_by_tanh>(function, src, dst, count);
    case Kind::mish:
      return apply_kind<Kind::mish>(function, src, dst, count);
    case Kind::swish:
      return apply_kind<Kind::swish>(function, src, dst, count);
    default:
      for (std::int64_t i = 0; i < count; ++i) dst[i] = function(src[i]);
  }
}

void Activation::apply(const float* src, float* dst, std::int64_t count) const {
  apply_all(*this, src, dst, count);
}

Activation activation_of(const Site& site) {
  using Kind = Activation::Kind;
  const std::string& op = site.node.op;
  const auto number = [&](const char* key, double fallback) {
    return static_cast<float>(site.node.number(key, fallback));
  };
  if (op == "Celu") {
    const Activation celu{Kind::celu, number("alpha", 1)};
    if (celu.alpha == 0) site.malformed("its alpha is 0");
    return celu;
  }
  if (op == "Gelu") {
    const std::string form = site.node.text("approximate", "none");
    if (form != "none" && form != "tanh") site.malformed("unknown approximation '" + form + "'");
    return {form == "none" ? Kind::gelu : Kind::gelu_by_tanh};
  }
  if (op == "Selu") return {Kind::selu, number("alpha", kSeluAlpha), number("gamma", kSeluGamma)};
  if (op == "Shrink") return {Kind::shrink, number("lambd", 0.5), number("bias", 0)};
  if (op == "Swish") return {Kind::swish, number("alpha", 1)};
  if (op == "ThresholdedRelu") return {Kind::thresholded_relu, number("alpha", 1)};
  if (op == "Mish") return {Kind::mish};
  if (op == "Softplus") return {Kind::softplus};
  if (op == "Softsign") return {Kind::softsign};
  return {Kind::erf};
}

}  // namespace

void check_activation(const Site& site) {
  activation_of(site);
  site.expect_output_shape(site.shape(site.input(0)));
}

Planned plan_activation(const Site& site) { return plan_one_element(site, activation_of(site)); }

RowFunction activation_row(const Site& site) { return row_of(activation_of(site)); }

}  // namespace adze::exec
