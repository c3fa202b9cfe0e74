#include "host/graph/evaluate_node.hpp"

#include <algorithm>
#include <cmath>

#include "host/base/error.hpp"

namespace adze::host {

std::optional<std::vector<Tensor>> one(std::optional<Tensor> tensor) {
  if (!tensor) return std::nullopt;
  return std::vector<Tensor>{std::move(*tensor)};
}

std::optional<std::vector<std::int64_t>> integers(const Tensor& tensor) {
  const auto widen = [](auto elements) {
    return std::vector<std::int64_t>(elements.begin(), elements.end());
  };
  if (tensor.size_bytes() > kFoldLimitBytes) return std::nullopt;
  switch (tensor.dtype()) {
    case DType::i64:
      return widen(tensor.as<std::int64_t>());
    case DType::i32:
      return widen(tensor.as<std::int32_t>());
    default:
      return std::nullopt;
  }
}

Tensor vector_tensor(const std::vector<std::int64_t>& elements) {
  return {DType::i64,
          {static_cast<std::int64_t>(elements.size())},
          std::span<const std::int64_t>(elements)};
}

std::optional<Shape> broadcast(const Shape& a, const Shape& b) {
  Shape result(std::max(a.size(), b.size()));
  for (std::size_t back = 1; back <= result.size(); ++back) {
    const std::int64_t left = back <= a.size() ? a[a.size() - back] : 1;
    const std::int64_t right = back <= b.size() ? b[b.size() - back] : 1;
    if (left != right && left != 1 && right != 1) return std::nullopt;
    result[result.size() - back] = left == 1 ? right : left;
  }
  return result;
}

std::optional<std::size_t> tensor_bytes(DType dtype, const Shape& shape) {
  std::int64_t bytes = info(dtype).bits / 8;
  for (const std::int64_t size : shape)
    if (size < 0 || __builtin_mul_overflow(bytes, size, &bytes)) return std::nullopt;
  return static_cast<std::size_t>(bytes);
}

std::optional<double> first_element(const Tensor& tensor) {
  if (tensor.count() == 0) return std::nullopt;
  const auto exact = [](auto element) -> std::optional<double> {
    constexpr double kExact = 9007199254740992.0;  // 2^53
    const auto value = static_cast<double>(element);
    if (std::fabs(value) > kExact) return std::nullopt;
    return value;
  };
  switch (tensor.dtype()) {
    case DType::f32:
      return tensor.as<float>()[0];
    case DType::f64:
      return tensor.as<double>()[0];
    case DType::i8:
      return tensor.as<std::int8_t>()[0];
    case DType::i16:
      return tensor.as<std::int16_t>()[0];
    case DType::i32:
      return tensor.as<std::int32_t>()[0];
    case DType::i64:
      return exact(tensor.as<std::int64_t>()[0]);
    case DType::u8:
    case DType::boolean:
      return tensor.as<std::uint8_t>()[0];
    case DType::u16:
      return tensor.as<std::uint16_t>()[0];
    case DType::u32:
      return tensor.as<std::uint32_t>()[0];
    case DType::u64:
      return exact(tensor.as<std::uint64_t>()[0]);
    case DType::f16:
    case DType::bf16:
      // One element, so that to_f32 does not widen all of a tensor that exists only on paper.
      return to_f32(Tensor(tensor.dtype(), {1}, tensor.as<std::uint16_t>().first(1)))[0];
    case DType::string:
      break;
  }
  return std::nullopt;
}

std::optional<double> uniform_value(const Tensor& tensor) {
  return tensor.is_uniform() ? first_element(tensor) : std::nullopt;
}

std::optional<Tensor> uniform_like(const Tensor& tensor, Shape shape) {
  const auto value = uniform_value(tensor);
  const auto bytes = tensor_bytes(tensor.dtype(), shape);
  if (!value || !bytes || *bytes > kUniformLimitBytes) return std::nullopt;
  return Tensor::uniform(tensor.dtype(), std::move(shape), *value);
}

std::optional<std::vector<Tensor>> evaluate_node(const Node& node, KnownInputs inputs) {
  if (!node.domain.empty()) return std::nullopt;
  for (const Tensor* input : inputs)
    if (input && input->dtype() == DType::string) return std::nullopt;
  if (auto moved = evaluate_movement(node, inputs)) return moved;
  return evaluate_arithmetic(node, inputs);
}

}  // namespace adze::host
