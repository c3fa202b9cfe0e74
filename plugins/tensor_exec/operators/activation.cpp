// Activations that are no plain limits: Celu, Erf, Gelu, Mish, Selu, Softplus, Softsign, Swish,
// ThresholdedRelu.
#include "plugins/tensor_exec/operators/all.hpp"
#include "plugins/tensor_exec/operators/one_element.hpp"

namespace adze::exec {
namespace {

// The numbers of the ONNX specification.
constexpr double kSeluAlpha = 1.67326319217681884765625, kSeluGamma = 1.05070102214813232421875;

float sigmoid(float x) { return 1.0f / (1.0f + std::exp(-x)); }

/// log(1 + exp(x)), for large |x| too.
float softplus(float x) { return std::max(x, 0.0f) + std::log1p(std::exp(-std::abs(x))); }

float gelu(float x) { return 0.5f * x * (1.0f + std::erf(x * 0.70710678118654752f)); }

float gelu_by_tanh(float x) {
  constexpr float kRootOfTwoByPi = 0.79788456080286536f;
  return 0.5f * x * (1.0f + std::tanh(kRootOfTwoByPi * (x + 0.044715f * x * x * x)));
}

struct Activation {
  enum class Kind : std::uint8_t {
    celu,
    erf,
    gelu,
    gelu_by_tanh,
    mish,
    selu,
    softplus,
    softsign,
    swish,
    thresholded_relu
  };
  Kind kind = Kind::erf;
  float alpha = 1, gamma = 1;

  float operator()(float x) const {
    switch (kind) {
      case Kind::celu:
        return x < 0 ? alpha * std::expm1(x / alpha) : x;
      case Kind::erf:
        return std::erf(x);
      case Kind::gelu:
        return gelu(x);
      case Kind::gelu_by_tanh:
        return gelu_by_tanh(x);
      case Kind::mish:
        return x * std::tanh(softplus(x));
      case Kind::selu:
        return gamma * (x > 0 ? x : alpha * std::expm1(x));
      case Kind::softplus:
        return softplus(x);
      case Kind::softsign:
        return x / (1.0f + std::abs(x));
      case Kind::swish:
        return x * sigmoid(alpha * x);
      case Kind::thresholded_relu:
        return x <= alpha ? 0 : x;
    }
    return x;
  }
};

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

}  // namespace adze::exec
