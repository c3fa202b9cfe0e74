// Activations that are no plain limits: Celu, Erf, Gelu, Mish, Selu, Softplus, Softsign, Swish,
// ThresholdedRelu. On quantized values they are tables of 256 entries.
#include "plugins/tensor_exec/operators/all.hpp"
#include "plugins/tensor_exec/operators/lookup.hpp"

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

class ActivationKernel final : public Kernel {
 public:
  ActivationKernel(const Activation& function, std::int64_t count)
      : function_(function), count_(count) {}
  void run(const Run& run) const override {
    const auto* src = reinterpret_cast<const float*>(run.inputs[0]);
    auto* dst = reinterpret_cast<float*>(run.outputs[0]);
    parallel_for(run.threads, count_, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) dst[i] = function_(src[i]);
    });
  }

 private:
  Activation function_;
  std::int64_t count_;
};

}  // namespace

void check_activation(const Site& site) {
  activation_of(site);
  site.expect_output_shape(site.shape(site.input(0)));
}

Planned plan_activation(const Site& site) {
  const Activation function = activation_of(site);
  const std::uint32_t input = site.input(0);
  const Layout layout = site.existing_layout(input);
  const std::int64_t count = element_count(site.output_shape());
  const auto from = site.quant8(input), to = site.quant8(site.output);
  const Storage storage = from && to ? Storage::u8 : Storage::f32;
  Planned planned;
  planned.inputs = {{input, {storage, layout}}};
  planned.outputs = {{site.output, {storage, layout}}};
  if (from && to)
    planned.kernel = make_lookup(make_table(*from, *to, site.program.rounding, function), count);
  else
    planned.kernel = std::make_unique<ActivationKernel>(function, count);
  return planned;
}

}  // namespace adze::exec
