// Functions of one element of any type: signs, rounding, exponentials, trigonometry, tests.
// Activations, which have quantized forms, are in unary.cpp.
#include <cmath>

#include "plugins/tensor_exec/operators/all.hpp"
#include "plugins/tensor_exec/operators/wrapping.hpp"
#include "plugins/tensor_exec/types.hpp"

namespace adze::exec {
namespace {

/// dst[i] = f(src[i])
using ElementLoop = void (*)(const std::byte* src, std::byte* dst, std::int64_t count);

template <class T, class Result, auto function>
void element_loop(const std::byte* src, std::byte* dst, std::int64_t count) {
  const auto* from = reinterpret_cast<const T*>(src);
  auto* to = reinterpret_cast<Result*>(dst);
  for (std::int64_t i = 0; i < count; ++i) to[i] = function(from[i]);
}

template <class T>
T negated(T x) {
  if constexpr (std::is_integral_v<T>)
    return minus(T{0}, x);
  else
    return -x;  // keeps the sign of 0
}
template <class T>
T magnitude(T x) {
  if constexpr (std::is_unsigned_v<T>)
    return x;
  else if constexpr (std::is_integral_v<T>)
    return x < 0 ? minus(T{0}, x) : x;
  else
    return std::fabs(x);
}
template <class T>
T sign_of(T x) {
  if constexpr (std::is_floating_point_v<T>) {
    if (std::isnan(x)) return x;
  }
  if constexpr (std::is_unsigned_v<T>)
    return x > 0 ? T{1} : T{0};
  else
    return static_cast<T>((x > 0) - (x < 0));
}
template <class T>
T inverted_bits(T x) {
  return static_cast<T>(~x);
}
std::uint8_t inverted(std::uint8_t x) { return x == 0; }

template <class T>
ElementLoop float_loop(std::string_view op) {
  using Entry = std::pair<std::string_view, ElementLoop>;
  static constexpr Entry kLoops[] = {
      {"Acos", element_loop<T, T, [](T x) { return std::acos(x); }>},
      {"Acosh", element_loop<T, T, [](T x) { return std::acosh(x); }>},
      {"Asin", element_loop<T, T, [](T x) { return std::asin(x); }>},
      {"Asinh", element_loop<T, T, [](T x) { return std::asinh(x); }>},
      {"Atan", element_loop<T, T, [](T x) { return std::atan(x); }>},
      {"Atanh", element_loop<T, T, [](T x) { return std::atanh(x); }>},
      {"Ceil", element_loop<T, T, [](T x) { return std::ceil(x); }>},
      {"Cos", element_loop<T, T, [](T x) { return std::cos(x); }>},
      {"Cosh", element_loop<T, T, [](T x) { return std::cosh(x); }>},
      {"Erf", element_loop<T, T, [](T x) { return std::erf(x); }>},
      {"Exp", element_loop<T, T, [](T x) { return std::exp(x); }>},
      {"Floor", element_loop<T, T, [](T x) { return std::floor(x); }>},
      {"Log", element_loop<T, T, [](T x) { return std::log(x); }>},
      {"Reciprocal", element_loop<T, T, [](T x) { return T{1} / x; }>},
      {"Round", element_loop<T, T, [](T x) { return std::nearbyint(x); }>},
      {"Sin", element_loop<T, T, [](T x) { return std::sin(x); }>},
      {"Sinh", element_loop<T, T, [](T x) { return std::sinh(x); }>},
      {"Sqrt", element_loop<T, T, [](T x) { return std::sqrt(x); }>},
      {"Tan", element_loop<T, T, [](T x) { return std::tan(x); }>},
      {"IsNaN",
       element_loop<T, std::uint8_t, [](T x) { return static_cast<std::uint8_t>(std::isnan(x)); }>},
  };
  for (const auto& [name, loop] : kLoops)
    if (name == op) return loop;
  return nullptr;
}

template <class T>
ElementLoop infinity_loop(bool positive, bool negative) {
  if (positive && negative)
    return element_loop<T, std::uint8_t,
                        [](T x) { return static_cast<std::uint8_t>(std::isinf(x)); }>;
  if (positive)
    return element_loop<T, std::uint8_t,
                        [](T x) { return static_cast<std::uint8_t>(std::isinf(x) && x > 0); }>;
  if (negative)
    return element_loop<T, std::uint8_t,
                        [](T x) { return static_cast<std::uint8_t>(std::isinf(x) && x < 0); }>;
  return element_loop<T, std::uint8_t, [](T) { return std::uint8_t{0}; }>;
}

ElementLoop element_loop_of(const Site& site) {
  const std::string& op = site.node.op;
  const DType type = site.type(site.input(0));
  if (op == "Not") {
    if (type != DType::boolean) site.malformed("its input is not bool");
    return element_loop<std::uint8_t, std::uint8_t, inverted>;
  }
  if (type == DType::boolean) site.malformed("it does not compute with bool");
  const ElementLoop loop = with_number(type, [&]<class T>(TypeTag<T>) -> ElementLoop {
    if (op == "Abs") return element_loop<T, T, magnitude<T>>;
    if (op == "Neg") return element_loop<T, T, negated<T>>;
    if (op == "Sign") return element_loop<T, T, sign_of<T>>;
    if constexpr (std::is_floating_point_v<T>) {
      if (op == "IsInf")
        return infinity_loop<T>(site.node.integer("detect_positive", 1) != 0,
                                site.node.integer("detect_negative", 1) != 0);
      return float_loop<T>(op);
    } else {
      return op == "BitwiseNot" ? element_loop<T, T, inverted_bits<T>> : nullptr;
    }
  });
  if (!loop) site.malformed(std::string("it does not compute with ") + name_of(type));
  return loop;
}

class ElementLoopKernel final : public Kernel {
 public:
  ElementLoopKernel(ElementLoop loop, std::int64_t count, std::size_t from_width,
                    std::size_t to_width)
      : loop_(loop), count_(count), from_width_(from_width), to_width_(to_width) {}
  void run(const Run& run) const override {
    parallel_for(run.threads, count_, [&](std::int64_t begin, std::int64_t end) {
      loop_(run.inputs[0] + static_cast<std::size_t>(begin) * from_width_,
            run.outputs[0] + static_cast<std::size_t>(begin) * to_width_, end - begin);
    });
  }

 private:
  ElementLoop loop_;
  std::int64_t count_;
  std::size_t from_width_, to_width_;
};

}  // namespace

void check_elementwise_unary(const Site& site) {
  const std::string& op = site.node.op;
  const DType result =
      op == "IsNaN" || op == "IsInf" || op == "Not" ? DType::boolean : site.type(site.input(0));
  if (site.type(site.output) != result)
    site.malformed(std::string("its output is ") + name_of(site.type(site.output)) + ", not " +
                   name_of(result));
  element_loop_of(site);
  site.expect_output_shape(site.shape(site.input(0)));
}

Planned plan_elementwise_unary(const Site& site) {
  const std::uint32_t input = site.input(0);
  Form from = site.own_form(input), to = site.own_form(site.output);
  from.layout = to.layout = site.existing_layout(input);
  Planned planned;
  planned.inputs = {{input, from}};
  planned.outputs = {{site.output, to}};
  planned.kernel = std::make_unique<ElementLoopKernel>(
      element_loop_of(site), element_count(site.output_shape()), size_of(site.type(input)),
      size_of(site.type(site.output)));
  return planned;
}

}  // namespace adze::exec
