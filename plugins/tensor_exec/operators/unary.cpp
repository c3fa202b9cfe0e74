// Functions of one element. On quantized values they are tables of 256 entries.
#include <array>

#include "plugins/tensor_exec/operators/all.hpp"
#include "plugins/tensor_exec/operators/lookup.hpp"

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

class UnaryKernel final : public Kernel {
 public:
  UnaryKernel(const Function& function, std::int64_t count) : function_(function), count_(count) {}
  void run(const Run& run) const override {
    const auto* src = reinterpret_cast<const float*>(run.inputs[0]);
    auto* dst = reinterpret_cast<float*>(run.outputs[0]);
    parallel_for(run.threads, count_, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) dst[i] = function_(src[i]);
    });
  }

 private:
  Function function_;
  std::int64_t count_;
};

}  // namespace

void check_unary(const Site& site) {
  function_of(site);
  site.expect_output_shape(site.shape(site.input(0)));
}

Planned plan_unary(const Site& site) {
  const Function function = function_of(site);
  const std::uint32_t input = site.input(0);
  const Layout layout = site.existing_layout(input);
  const std::int64_t count = element_count(site.output_shape());
  const auto from = site.quant8(input), to = site.quant8(site.output);
  Planned planned;
  const Storage storage = from && to ? Storage::u8 : Storage::f32;
  planned.inputs = {{input, {storage, layout}}};
  planned.outputs = {{site.output, {storage, layout}}};
  if (from && to)
    planned.kernel = make_lookup(make_table(*from, *to, site.program.rounding, function), count);
  else
    planned.kernel = std::make_unique<UnaryKernel>(function, count);
  return planned;
}

}  // namespace adze::exec
