#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <variant>

#include "host/graph/evaluate_node.hpp"

namespace adze::host {
namespace {

using Result = std::optional<std::vector<Tensor>>;
// Integers and booleans compute as i64, floating point as double: for one operation, rounding the
// double result to float gives what float arithmetic gives.
using Integers = std::vector<std::int64_t>;
using Reals = std::vector<double>;
using Numbers = std::variant<Integers, Reals>;

bool is_real(DType dtype) { return dtype == DType::f32 || dtype == DType::f64; }

template <class T, class Wide>
std::vector<Wide> widened(const Tensor& tensor) {
  const auto elements = tensor.as<T>();
  return {elements.begin(), elements.end()};
}

std::optional<Numbers> numbers(const Tensor& tensor) {
  switch (tensor.dtype()) {
    case DType::f32:
      return widened<float, double>(tensor);
    case DType::f64:
      return widened<double, double>(tensor);
    case DType::i8:
      return widened<std::int8_t, std::int64_t>(tensor);
    case DType::i16:
      return widened<std::int16_t, std::int64_t>(tensor);
    case DType::i32:
      return widened<std::int32_t, std::int64_t>(tensor);
    case DType::i64:
      return widened<std::int64_t, std::int64_t>(tensor);
    case DType::u8:
    case DType::boolean:
      return widened<std::uint8_t, std::int64_t>(tensor);
    case DType::u16:
      return widened<std::uint16_t, std::int64_t>(tensor);
    case DType::u32:
      return widened<std::uint32_t, std::int64_t>(tensor);
    default:
      return std::nullopt;
  }
}

template <class T, class Wide>
Tensor narrowed(DType dtype, const Shape& shape, const std::vector<Wide>& wide) {
  Tensor tensor(dtype, shape);
  std::transform(wide.begin(), wide.end(), tensor.mutate<T>().begin(),
                 [](Wide element) { return static_cast<T>(element); });
  return tensor;
}

template <class Wide>
std::optional<Tensor> made(DType dtype, const Shape& shape, const std::vector<Wide>& wide) {
  if constexpr (std::is_same_v<Wide, double>) {
    if (dtype == DType::f32) return narrowed<float>(dtype, shape, wide);
    if (dtype == DType::f64) return narrowed<double>(dtype, shape, wide);
    return std::nullopt;
  } else {
    switch (dtype) {
      case DType::i8:
        return narrowed<std::int8_t>(dtype, shape, wide);
      case DType::i16:
        return narrowed<std::int16_t>(dtype, shape, wide);
      case DType::i32:
        return narrowed<std::int32_t>(dtype, shape, wide);
      case DType::i64:
        return narrowed<std::int64_t>(dtype, shape, wide);
      case DType::u8:
      case DType::boolean:
        return narrowed<std::uint8_t>(dtype, shape, wide);
      case DType::u16:
        return narrowed<std::uint16_t>(dtype, shape, wide);
      case DType::u32:
        return narrowed<std::uint32_t>(dtype, shape, wide);
      default:
        return std::nullopt;
    }
  }
}

// Computes once when all inputs are uniform, so that the result is uniform as well.
template <class Compute>
Result uniform_or(KnownInputs in, const Shape& shape, Compute compute) {
  const bool uniform = std::all_of(in.begin(), in.end(), [](const Tensor* tensor) {
    return tensor && tensor->count() > 0 && (tensor->is_uniform() || tensor->count() == 1);
  });
  const bool large =
      std::any_of(in.begin(), in.end(), [](const Tensor* t) { return t && t->is_uniform(); });
  if (!uniform || !large) return compute(in, shape);
  std::vector<Tensor> scalars;
  for (const Tensor* tensor : in) {
    const auto element = first_element(*tensor);
    if (!element) return std::nullopt;
    scalars.push_back(Tensor::uniform(tensor->dtype(), {}, *element));
  }
  std::vector<const Tensor*> pointers;
  for (const Tensor& scalar : scalars) pointers.push_back(&scalar);
  Result result = compute(pointers, Shape{});
  if (!result) return std::nullopt;
  const auto element = first_element(result->front());
  const auto bytes = tensor_bytes(result->front().dtype(), shape);
  if (!element || !bytes || *bytes > kUniformLimitBytes) return std::nullopt;
  return one(Tensor::uniform(result->front().dtype(), shape, *element));
}

// For each element of `shape`, the element of a tensor of shape `from` that broadcasts to it.
class Broadcast {
 public:
  Broadcast(const Shape& from, const Shape& shape) : shape_(shape), index_(shape.size(), 0) {
    steps_.assign(shape.size(), 0);
    std::size_t step = 1;
    for (std::size_t back = 1; back <= from.size(); ++back) {
      const auto size = static_cast<std::size_t>(from[from.size() - back]);
      if (size != 1) steps_[shape.size() - back] = step;
      step *= size;
    }
  }
  std::size_t at() const { return at_; }
  void next() {
    for (std::size_t axis = shape_.size(); axis-- > 0;) {
      at_ += steps_[axis];
      if (++index_[axis] < shape_[axis]) return;
      at_ -= steps_[axis] * static_cast<std::size_t>(shape_[axis]);
      index_[axis] = 0;
    }
  }

 private:
  const Shape& shape_;
  std::vector<std::int64_t> index_;
  std::vector<std::size_t> steps_;
  std::size_t at_ = 0;
};

using IntegerBinary = std::optional<std::int64_t> (*)(std::int64_t, std::int64_t);
using RealBinary = double (*)(double, double);
struct Binary {
  IntegerBinary integer;
  RealBinary real;
  bool compares;  // the result is boolean
};

// Wrapping, as the hardware that runs the exported arithmetic does.
std::int64_t wrapping(std::uint64_t value) { return std::bit_cast<std::int64_t>(value); }
std::uint64_t bits(std::int64_t value) { return std::bit_cast<std::uint64_t>(value); }

const std::map<std::string, Binary, std::less<>>& binaries() {
  using I = std::int64_t;
  using Maybe = std::optional<I>;
  static const std::map<std::string, Binary, std::less<>> kBinaries = {
      {"Add",
       {[](I a, I b) -> Maybe { return wrapping(bits(a) + bits(b)); },
        [](double a, double b) { return a + b; }, false}},
      {"Sub",
       {[](I a, I b) -> Maybe { return wrapping(bits(a) - bits(b)); },
        [](double a, double b) { return a - b; }, false}},
      {"Mul",
       {[](I a, I b) -> Maybe { return wrapping(bits(a) * bits(b)); },
        [](double a, double b) { return a * b; }, false}},
      {"Div",
       {[](I a, I b) -> Maybe {
          if (b == 0 || (b == -1 && a == std::numeric_limits<I>::min())) return std::nullopt;
          return a / b;
        },
        [](double a, double b) { return a / b; }, false}},
      {"Min",
       {[](I a, I b) -> Maybe { return std::min(a, b); },
        [](double a, double b) { return std::isnan(a) || a < b ? a : b; }, false}},
      {"Max",
       {[](I a, I b) -> Maybe { return std::max(a, b); },
        [](double a, double b) { return std::isnan(a) || a > b ? a : b; }, false}},
      {"Pow", {nullptr, [](double a, double b) { return std::pow(a, b); }, false}},
      {"And", {[](I a, I b) -> Maybe { return a && b; }, nullptr, true}},
      {"Or", {[](I a, I b) -> Maybe { return a || b; }, nullptr, true}},
      {"Equal",
       {[](I a, I b) -> Maybe { return a == b; },
        [](double a, double b) { return static_cast<double>(a == b); }, true}},
      {"Less",
       {[](I a, I b) -> Maybe { return a < b; },
        [](double a, double b) { return static_cast<double>(a < b); }, true}},
      {"LessOrEqual",
       {[](I a, I b) -> Maybe { return a <= b; },
        [](double a, double b) { return static_cast<double>(a <= b); }, true}},
      {"Greater",
       {[](I a, I b) -> Maybe { return a > b; },
        [](double a, double b) { return static_cast<double>(a > b); }, true}},
      {"GreaterOrEqual",
       {[](I a, I b) -> Maybe { return a >= b; },
        [](double a, double b) { return static_cast<double>(a >= b); }, true}},
  };
  return kBinaries;
}

Result binary(const Binary& function, KnownInputs in, const Shape& shape) {
  const DType dtype = in[0]->dtype();
  const auto left = numbers(*in[0]), right = numbers(*in[1]);
  if (!left || !right || in[1]->dtype() != dtype) return std::nullopt;
  Broadcast at_left(in[0]->shape(), shape), at_right(in[1]->shape(), shape);
  const auto count = static_cast<std::size_t>(element_count(shape));
  const auto run = [&](const auto& a, const auto& b, auto compute) -> Result {
    using Wide = typename std::decay_t<decltype(a)>::value_type;
    std::vector<Wide> out(count);
    for (Wide& element : out) {
      const std::optional<Wide> value = compute(a[at_left.at()], b[at_right.at()]);
      if (!value) return std::nullopt;
      element = *value;
      at_left.next();
      at_right.next();
    }
    if (!function.compares) return one(made(dtype, shape, out));
    return one(made(DType::boolean, shape, Integers(out.begin(), out.end())));
  };
  if (is_real(dtype)) {
    if (!function.real) return std::nullopt;
    return run(std::get<Reals>(*left), std::get<Reals>(*right), function.real);
  }
  if (!function.integer) return std::nullopt;
  return run(std::get<Integers>(*left), std::get<Integers>(*right), function.integer);
}

Result binary_node(const Binary& function, KnownInputs in) {
  if (in.size() != 2 || !in[0] || !in[1]) return std::nullopt;
  const auto shape = broadcast(in[0]->shape(), in[1]->shape());
  if (!shape) return std::nullopt;
  return uniform_or(in, *shape, [&](KnownInputs inputs, const Shape& out) -> Result {
    const auto bytes = tensor_bytes(inputs[0]->dtype(), out);
    if (!bytes || *bytes > kFoldLimitBytes) return std::nullopt;
    return binary(function, inputs, out);
  });
}

using Unary = double (*)(double);
Result unary_node(Unary function, KnownInputs in) {
  if (in.size() != 1 || !in[0] || !is_real(in[0]->dtype())) return std::nullopt;
  return uniform_or(in, in[0]->shape(), [&](KnownInputs inputs, const Shape& shape) -> Result {
    if (inputs[0]->size_bytes() > kFoldLimitBytes) return std::nullopt;
    Reals elements = std::get<Reals>(numbers(*inputs[0]).value());
    for (double& element : elements) element = function(element);
    return one(made(inputs[0]->dtype(), shape, elements));
  });
}

std::optional<DType> cast_target(std::int64_t onnx_type) {
  switch (onnx_type) {  // TensorProto.DataType
    case 1:
      return DType::f32;
    case 2:
      return DType::u8;
    case 3:
      return DType::i8;
    case 4:
      return DType::u16;
    case 5:
      return DType::i16;
    case 6:
      return DType::i32;
    case 7:
      return DType::i64;
    case 9:
      return DType::boolean;
    case 11:
      return DType::f64;
    case 12:
      return DType::u32;
    default:
      return std::nullopt;
  }
}

Result cast(const Node& node, KnownInputs in) {
  const auto target = cast_target(attribute_or<std::int64_t>(node, "to", 0));
  if (!target || in.size() != 1 || !in[0]) return std::nullopt;
  return uniform_or(in, in[0]->shape(), [&](KnownInputs inputs, const Shape& shape) -> Result {
    if (inputs[0]->size_bytes() > kFoldLimitBytes) return std::nullopt;
    if (inputs[0]->dtype() == DType::f16 || inputs[0]->dtype() == DType::bf16) {
      if (*target != DType::f32) return std::nullopt;
      const std::vector<float> wide = to_f32(*inputs[0]);
      return one(Tensor(DType::f32, shape, std::span<const float>(wide)));
    }
    const auto from = numbers(*inputs[0]);
    if (!from) return std::nullopt;
    if (const auto* whole = std::get_if<Integers>(&*from)) {
      if (is_real(*target)) return one(made(*target, shape, Reals(whole->begin(), whole->end())));
      if (*target != DType::boolean) return one(made(*target, shape, *whole));
    }
    return std::visit(
        [&](const auto& elements) -> Result {
          if constexpr (std::is_same_v<std::decay_t<decltype(elements)>, Reals>)
            if (is_real(*target)) return one(made(*target, shape, elements));
          Integers whole;
          for (const auto element : elements) {
            if (*target == DType::boolean) {
              whole.push_back(element != 0);
            } else if (std::fabs(static_cast<double>(element)) < 0x1p62) {
              whole.push_back(static_cast<std::int64_t>(element));
            } else {
              return std::nullopt;  // out of range, or NaN: what comes out is undefined
            }
          }
          return one(made(*target, shape, whole));
        },
        *from);
  });
}

Result logical_not(const Node&, KnownInputs in) {
  if (in.size() != 1 || !in[0] || in[0]->dtype() != DType::boolean ||
      in[0]->size_bytes() > kFoldLimitBytes)
    return std::nullopt;
  Integers elements = std::get<Integers>(numbers(*in[0]).value());
  for (auto& element : elements) element = element == 0;
  return one(made(DType::boolean, in[0]->shape(), elements));
}

Result where(const Node&, KnownInputs in) {
  if (in.size() != 3 || !in[0] || !in[1] || !in[2] || in[0]->dtype() != DType::boolean ||
      in[1]->dtype() != in[2]->dtype())
    return std::nullopt;
  auto shape = broadcast(in[1]->shape(), in[2]->shape());
  if (shape) shape = broadcast(in[0]->shape(), *shape);
  const auto bytes = shape ? tensor_bytes(in[1]->dtype(), *shape) : std::nullopt;
  if (!bytes || *bytes > kFoldLimitBytes) return std::nullopt;
  const auto yes = numbers(*in[1]), no = numbers(*in[2]);
  if (!yes || !no) return std::nullopt;
  Broadcast at(in[0]->shape(), *shape), at_yes(in[1]->shape(), *shape),
      at_no(in[2]->shape(), *shape);
  const auto condition = in[0]->as<std::uint8_t>();
  return std::visit(
      [&](const auto& a) -> Result {
        const auto& b = std::get<std::decay_t<decltype(a)>>(*no);
        std::decay_t<decltype(a)> out(static_cast<std::size_t>(element_count(*shape)));
        for (auto& element : out) {
          element = condition[at.at()] ? a[at_yes.at()] : b[at_no.at()];
          at.next();
          at_yes.next();
          at_no.next();
        }
        return one(made(in[1]->dtype(), *shape, out));
      },
      *yes);
}

Result range(const Node&, KnownInputs in) {
  if (in.size() != 3) return std::nullopt;
  std::int64_t bound[3];
  for (std::size_t i = 0; i < 3; ++i) {
    const auto value = in[i] && in[i]->count() == 1 ? integers(*in[i]) : std::nullopt;
    if (!value || in[i]->dtype() != in[0]->dtype()) return std::nullopt;
    bound[i] = value->front();
  }
  constexpr std::int64_t kLargest = std::int64_t{1} << 20;
  const auto [start, limit, delta] = bound;
  if (delta == 0 ||
      std::max({std::abs(start / 2), std::abs(limit / 2), std::abs(delta / 2)}) > kLargest)
    return std::nullopt;
  Integers elements;
  for (std::int64_t at = start; delta > 0 ? at < limit : at > limit; at += delta)
    elements.push_back(at);
  return one(made(in[0]->dtype(), {static_cast<std::int64_t>(elements.size())}, elements));
}

// Product or sum of all elements of a short integer vector: how exporters count elements.
Result reduce_vector(const Node& node, KnownInputs in) {
  if (in.empty() || !in[0] || in[0]->shape().size() != 1) return std::nullopt;
  const auto elements = integers(*in[0]);
  if (!elements) return std::nullopt;
  if (in.size() > 1 && in[1]) {
    const auto axes = integers(*in[1]);
    if (!axes || (axes->empty() && attribute_or<std::int64_t>(node, "noop_with_empty_axes", 0)))
      return std::nullopt;
  }
  std::uint64_t total = node.op == "ReduceProd" ? 1 : 0;
  for (const std::int64_t element : *elements)
    total = node.op == "ReduceProd" ? total * bits(element) : total + bits(element);
  const Shape shape = attribute_or<std::int64_t>(node, "keepdims", 1) ? Shape{1} : Shape{};
  return one(made(in[0]->dtype(), shape, Integers{wrapping(total)}));
}

}  // namespace

std::optional<std::vector<Tensor>> evaluate_arithmetic(const Node& node, KnownInputs inputs) {
  if (const auto at = binaries().find(node.op); at != binaries().end())
    return binary_node(at->second, inputs);
  static const std::map<std::string, Unary, std::less<>> kUnaries = {
      {"Abs", [](double x) { return std::fabs(x); }},
      {"Ceil", [](double x) { return std::ceil(x); }},
      {"Exp", [](double x) { return std::exp(x); }},
      {"Floor", [](double x) { return std::floor(x); }},
      {"Log", [](double x) { return std::log(x); }},
      {"Neg", [](double x) { return -x; }},
      {"Reciprocal", [](double x) { return 1 / x; }},
      {"Sqrt", [](double x) { return std::sqrt(x); }},
  };
  if (const auto at = kUnaries.find(node.op); at != kUnaries.end())
    return unary_node(at->second, inputs);
  using Function = Result (*)(const Node&, KnownInputs);
  static const std::map<std::string, Function, std::less<>> kFunctions = {
      {"Cast", cast},   {"Not", logical_not},          {"Range", range},
      {"Where", where}, {"ReduceProd", reduce_vector}, {"ReduceSum", reduce_vector},
  };
  const auto at = kFunctions.find(node.op);
  return at == kFunctions.end() ? std::nullopt : at->second(node, inputs);
}

}  // namespace adze::host
