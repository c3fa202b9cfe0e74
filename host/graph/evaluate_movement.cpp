#include <algorithm>
#include <functional>
#include <map>
#include <numeric>

#include "host/graph/evaluate_node.hpp"

namespace adze::host {
namespace {

using Result = std::optional<std::vector<Tensor>>;

std::vector<std::int64_t> row_major_strides(const Shape& shape) {
  std::vector<std::int64_t> strides(shape.size(), 1);
  for (std::size_t axis = shape.size(); axis-- > 1;)
    strides[axis - 1] = strides[axis] * shape[axis];
  return strides;
}

std::int64_t product(const Shape& shape, std::size_t begin, std::size_t end) {
  return std::accumulate(shape.begin() + static_cast<std::ptrdiff_t>(begin),
                         shape.begin() + static_cast<std::ptrdiff_t>(end), std::int64_t{1},
                         std::multiplies<>());
}

std::byte* writable(Tensor& tensor) {
  switch (info(tensor.dtype()).bits) {
    case 8:
      return reinterpret_cast<std::byte*>(tensor.mutate<std::uint8_t>().data());
    case 16:
      return reinterpret_cast<std::byte*>(tensor.mutate<std::uint16_t>().data());
    case 32:
      return reinterpret_cast<std::byte*>(tensor.mutate<std::uint32_t>().data());
    default:
      return reinterpret_cast<std::byte*>(tensor.mutate<std::uint64_t>().data());
  }
}

// Element [i0, i1, ...] of the result is the element of `source` at offset + sum(i_k * step_k).
std::optional<Tensor> strided_copy(const Tensor& source, const Shape& shape, std::int64_t offset,
                                   const std::vector<std::int64_t>& steps) {
  const auto bytes = tensor_bytes(source.dtype(), shape);
  if (!bytes) return std::nullopt;
  if (*bytes > 0 && source.is_uniform()) return uniform_like(source, shape);
  if (*bytes > std::max(kFoldLimitBytes, source.size_bytes())) return std::nullopt;
  Tensor result(source.dtype(), shape);
  if (result.count() == 0) return result;
  const std::size_t element = info(source.dtype()).bits / 8u;
  const std::byte* from = source.bytes().data();
  std::byte* to = writable(result);
  std::vector<std::int64_t> index(shape.size(), 0);
  for (std::int64_t n = 0; n < result.count(); ++n, to += element) {
    std::memcpy(to, from + static_cast<std::size_t>(offset) * element, element);
    for (std::size_t axis = shape.size(); axis-- > 0;) {
      offset += steps[axis];
      if (++index[axis] < shape[axis]) break;
      offset -= steps[axis] * shape[axis];
      index[axis] = 0;
    }
  }
  return result;
}

Result shown_as(const Tensor& tensor, Shape shape) {
  const auto bytes = tensor_bytes(tensor.dtype(), shape);
  if (!bytes || *bytes != tensor.size_bytes()) return std::nullopt;
  return one(tensor.reshaped(std::move(shape)));
}

Result reshape(const Node& node, KnownInputs in) {
  if (in.size() < 2 || !in[1]) return std::nullopt;
  auto target = integers(*in[1]);
  if (!target) return std::nullopt;
  const bool zero_is_size = attribute_or<std::int64_t>(node, "allowzero", 0) != 0;
  std::size_t open = target->size();
  for (std::size_t i = 0; i < target->size(); ++i) {
    std::int64_t& size = (*target)[i];
    if (size == 0 && !zero_is_size) {
      if (i >= in[0]->shape().size()) return std::nullopt;
      size = in[0]->shape()[i];
    } else if (size == -1) {
      if (open != target->size()) return std::nullopt;
      open = i;
    } else if (size < 0) {
      return std::nullopt;
    }
  }
  if (open != target->size()) {
    (*target)[open] = 1;
    const auto rest = tensor_bytes(DType::u8, *target);
    if (!rest || *rest == 0) return std::nullopt;
    (*target)[open] = in[0]->count() / static_cast<std::int64_t>(*rest);
  }
  return shown_as(*in[0], std::move(*target));
}

Result flatten(const Node& node, KnownInputs in) {
  const Shape& shape = in[0]->shape();
  const auto rank = static_cast<std::int64_t>(shape.size());
  std::int64_t axis = attribute_or<std::int64_t>(node, "axis", 1);
  if (axis < -rank || axis > rank) return std::nullopt;
  if (axis < 0) axis += rank;
  const auto at = static_cast<std::size_t>(axis);
  return shown_as(*in[0], {product(shape, 0, at), product(shape, at, shape.size())});
}

// Axes come as an input (opset 13) or an attribute (before).
std::optional<std::vector<std::int64_t>> axes_of(const Node& node, KnownInputs in) {
  if (in.size() > 1 && in[1]) return integers(*in[1]);
  return attribute_or<std::vector<std::int64_t>>(node, "axes", {});
}

Result squeeze(const Node& node, KnownInputs in) {
  const auto axes = axes_of(node, in);
  if (!axes) return std::nullopt;
  const Shape& shape = in[0]->shape();
  std::vector<bool> leaves(shape.size());
  for (std::size_t i = 0; axes->empty() && i < shape.size(); ++i) leaves[i] = shape[i] == 1;
  for (const std::int64_t axis : *axes) {
    const auto at = axis_of(axis, shape.size());
    if (!at || shape[*at] != 1) return std::nullopt;
    leaves[*at] = true;
  }
  Shape kept;
  for (std::size_t i = 0; i < shape.size(); ++i)
    if (!leaves[i]) kept.push_back(shape[i]);
  return shown_as(*in[0], std::move(kept));
}

Result unsqueeze(const Node& node, KnownInputs in) {
  const auto axes = axes_of(node, in);
  if (!axes) return std::nullopt;
  Shape shape(in[0]->shape().size() + axes->size(), 0);
  for (const std::int64_t axis : *axes) {
    const auto at = axis_of(axis, shape.size());
    if (!at || shape[*at] == -1) return std::nullopt;
    shape[*at] = -1;
  }
  auto size = in[0]->shape().begin();
  for (std::int64_t& slot : shape) slot = slot == -1 ? 1 : *size++;
  return shown_as(*in[0], std::move(shape));
}

Result transpose(const Node& node, KnownInputs in) {
  const Shape& shape = in[0]->shape();
  std::vector<std::int64_t> order(shape.size());
  for (std::size_t i = 0; i < order.size(); ++i)
    order[i] = static_cast<std::int64_t>(order.size() - 1 - i);
  order = attribute_or(node, "perm", order);
  if (order.size() != shape.size()) return std::nullopt;
  const auto strides = row_major_strides(shape);
  std::vector<std::int64_t> steps;
  Shape moved;
  std::vector<bool> seen(shape.size());
  for (const std::int64_t from : order) {
    const auto axis = axis_of(from, shape.size());
    if (!axis || seen[*axis]) return std::nullopt;
    seen[*axis] = true;
    moved.push_back(shape[*axis]);
    steps.push_back(strides[*axis]);
  }
  return one(strided_copy(*in[0], moved, 0, steps));
}

Result expand(const Node&, KnownInputs in) {
  if (in.size() < 2 || !in[1]) return std::nullopt;
  const auto target = integers(*in[1]);
  if (!target || std::any_of(target->begin(), target->end(), [](auto n) { return n < 0; }))
    return std::nullopt;
  const auto shape = broadcast(in[0]->shape(), *target);
  if (!shape) return std::nullopt;
  const auto strides = row_major_strides(in[0]->shape());
  const std::size_t added = shape->size() - in[0]->shape().size();
  std::vector<std::int64_t> steps(shape->size(), 0);
  for (std::size_t axis = added; axis < shape->size(); ++axis)
    if (in[0]->shape()[axis - added] != 1) steps[axis] = strides[axis - added];
  if (in[0]->count() == 0 && tensor_bytes(DType::u8, *shape) != 0u) return std::nullopt;
  return one(strided_copy(*in[0], *shape, 0, steps));
}

Result slice(const Node&, KnownInputs in) {
  if (in.size() < 3 || !in[1] || !in[2]) return std::nullopt;
  const auto starts = integers(*in[1]), ends = integers(*in[2]);
  if (!starts || !ends || starts->size() != ends->size()) return std::nullopt;
  std::vector<std::int64_t> axes(starts->size()), step_sizes(starts->size(), 1);
  std::iota(axes.begin(), axes.end(), 0);
  const auto replace = [&](std::size_t input, std::vector<std::int64_t>& with) {
    if (in.size() <= input || !in[input]) return true;
    const auto given = integers(*in[input]);
    if (!given || given->size() != starts->size()) return false;
    with = *given;
    return true;
  };
  if (!replace(3, axes) || !replace(4, step_sizes)) return std::nullopt;
  Shape shape = in[0]->shape();
  auto steps = row_major_strides(shape);
  std::int64_t offset = 0;
  std::vector<bool> seen(shape.size());
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const auto axis = axis_of(axes[i], shape.size());
    const std::int64_t step = step_sizes[i];
    if (!axis || seen[*axis] || step == 0 || step < -(std::int64_t{1} << 32) ||
        step > (std::int64_t{1} << 32))
      return std::nullopt;
    seen[*axis] = true;
    const std::int64_t size = in[0]->shape()[*axis];
    const auto from_end = [&](std::int64_t at) { return at < 0 ? at + size : at; };
    const std::int64_t lowest = step > 0 ? 0 : -1, highest = step > 0 ? size : size - 1;
    const std::int64_t start =
        std::clamp(from_end((*starts)[i]), std::int64_t{0}, std::max<std::int64_t>(highest, 0));
    const std::int64_t end = std::clamp(from_end((*ends)[i]), lowest, std::max(highest, lowest));
    const std::int64_t span = step > 0 ? end - start : start - end;
    const std::int64_t stride = step > 0 ? step : -step;
    shape[*axis] = size == 0 || span <= 0 ? 0 : (span + stride - 1) / stride;
    offset += start * steps[*axis];
    steps[*axis] *= step;
  }
  return one(strided_copy(*in[0], shape, offset, steps));
}

Result gather(const Node& node, KnownInputs in) {
  if (in.size() < 2 || !in[1]) return std::nullopt;
  const auto indices = integers(*in[1]);
  const auto axis = axis_of(attribute_or<std::int64_t>(node, "axis", 0), in[0]->shape().size());
  if (!indices || !axis) return std::nullopt;
  const Shape& from = in[0]->shape();
  Shape shape(from.begin(), from.begin() + static_cast<std::ptrdiff_t>(*axis));
  shape.insert(shape.end(), in[1]->shape().begin(), in[1]->shape().end());
  shape.insert(shape.end(), from.begin() + static_cast<std::ptrdiff_t>(*axis) + 1, from.end());
  const std::int64_t size = from[*axis];
  for (const std::int64_t index : *indices)
    if (index < -size || index >= size) return std::nullopt;
  const auto bytes = tensor_bytes(in[0]->dtype(), shape);
  if (!bytes) return std::nullopt;
  if (*bytes > 0 && in[0]->is_uniform()) return one(uniform_like(*in[0], shape));
  if (*bytes > std::max(kFoldLimitBytes, in[0]->size_bytes())) return std::nullopt;
  Tensor result(in[0]->dtype(), shape);
  const auto inner = static_cast<std::size_t>(product(from, *axis + 1, from.size())) *
                     (info(in[0]->dtype()).bits / 8u);
  const std::int64_t outer = product(from, 0, *axis);
  const std::byte* source = in[0]->bytes().data();
  std::byte* to = writable(result);
  for (std::int64_t o = 0; inner > 0 && o < outer; ++o)
    for (const std::int64_t index : *indices) {
      const auto row = static_cast<std::size_t>(o * size + (index < 0 ? index + size : index));
      std::memcpy(to, source + row * inner, inner);
      to += inner;
    }
  return one(std::move(result));
}

Result concat(const Node& node, KnownInputs in) {
  const auto axis = axis_of(attribute_or<std::int64_t>(node, "axis", 0), in[0]->shape().size());
  if (!axis) return std::nullopt;
  Shape shape = in[0]->shape();
  shape[*axis] = 0;
  std::size_t total = 0;
  for (const Tensor* part : in) {
    if (!part || part->dtype() != in[0]->dtype() || part->shape().size() != shape.size())
      return std::nullopt;
    for (std::size_t i = 0; i < shape.size(); ++i)
      if (i != *axis && part->shape()[i] != shape[i]) return std::nullopt;
    shape[*axis] += part->shape()[*axis];
    total += part->size_bytes();
  }
  if (total > kFoldLimitBytes) return std::nullopt;
  Tensor result(in[0]->dtype(), shape);
  if (total == 0) return one(std::move(result));
  const std::int64_t outer = product(shape, 0, *axis);
  std::byte* to = writable(result);
  for (std::int64_t o = 0; o < outer; ++o)
    for (const Tensor* part : in) {
      const std::size_t block = part->size_bytes() / static_cast<std::size_t>(outer);
      if (block == 0) continue;
      std::memcpy(to, part->bytes().data() + static_cast<std::size_t>(o) * block, block);
      to += block;
    }
  return one(std::move(result));
}

Result split(const Node& node, KnownInputs in) {
  const auto axis = axis_of(attribute_or<std::int64_t>(node, "axis", 0), in[0]->shape().size());
  if (!axis || node.outputs.empty()) return std::nullopt;
  const std::int64_t size = in[0]->shape()[*axis];
  const auto parts = static_cast<std::int64_t>(node.outputs.size());
  const std::int64_t chunk = (size + parts - 1) / parts;
  std::vector<std::int64_t> sizes;
  for (std::int64_t at = 0; static_cast<std::int64_t>(sizes.size()) < parts; at += chunk)
    sizes.push_back(std::clamp<std::int64_t>(size - at, 0, chunk));
  if (in.size() > 1) {
    const auto given = in[1] ? integers(*in[1]) : std::nullopt;
    if (!given || given->size() != node.outputs.size()) return std::nullopt;
    sizes = *given;
  }
  const auto strides = row_major_strides(in[0]->shape());
  std::vector<Tensor> results;
  std::int64_t start = 0;
  for (const std::int64_t part : sizes) {
    if (part < 0 || part > size - start) return std::nullopt;
    Shape shape = in[0]->shape();
    shape[*axis] = part;
    auto copied = strided_copy(*in[0], shape, start * strides[*axis], strides);
    if (!copied) return std::nullopt;
    results.push_back(std::move(*copied));
    start += part;
  }
  return results;
}

Result constant_of_shape(const Node& node, KnownInputs in) {
  const auto shape = integers(*in[0]);
  if (!shape || in[0]->shape().size() != 1) return std::nullopt;
  static const Tensor kZero = Tensor::uniform(DType::f32, {1}, 0);
  const Tensor given = attribute_or(node, "value", kZero);
  if (given.count() != 1 || given.dtype() == DType::string) return std::nullopt;
  const auto bytes = tensor_bytes(given.dtype(), *shape);
  if (!bytes || *bytes > kUniformLimitBytes) return std::nullopt;
  const auto element = first_element(given);
  if (!element) return std::nullopt;
  return one(Tensor::uniform(given.dtype(), *shape, *element));
}

Result identity(const Node&, KnownInputs in) { return one(*in[0]); }

}  // namespace

std::optional<std::vector<Tensor>> evaluate_movement(const Node& node, KnownInputs inputs) {
  using Function = Result (*)(const Node&, KnownInputs);
  static const std::map<std::string, Function, std::less<>> kFunctions = {
      {"Concat", concat},       {"ConstantOfShape", constant_of_shape},
      {"Expand", expand},       {"Flatten", flatten},
      {"Gather", gather},       {"Identity", identity},
      {"Reshape", reshape},     {"Slice", slice},
      {"Split", split},         {"Squeeze", squeeze},
      {"Transpose", transpose}, {"Unsqueeze", unsqueeze},
  };
  const auto function = kFunctions.find(node.op);
  if (function == kFunctions.end() || inputs.empty() || !inputs[0]) return std::nullopt;
  return function->second(node, inputs);
}

}  // namespace adze::host
