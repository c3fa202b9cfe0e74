#include "host/abi/batch.hpp"

#include <algorithm>
#include <cstring>

#include "host/base/error.hpp"

namespace adze::host {
namespace {

/// Rows of `bytes` before the axis, each of shape[axis] blocks of `block_bytes`.
struct Blocks {
  std::size_t rows = 1, block_bytes = 1;
};

Blocks blocks_of(const Tensor& tensor, std::size_t axis) {
  Blocks blocks;
  const Shape& shape = tensor.shape();
  for (std::size_t i = 0; i < axis; ++i) blocks.rows *= static_cast<std::size_t>(shape[i]);
  blocks.block_bytes = info(tensor.dtype()).bits / 8;
  for (std::size_t i = axis + 1; i < shape.size(); ++i)
    blocks.block_bytes *= static_cast<std::size_t>(shape[i]);
  return blocks;
}

}  // namespace

Tensor slice_padded(const Tensor& tensor, std::size_t axis, std::int64_t first,
                    std::int64_t count) {
  const std::int64_t size = tensor.shape().at(axis);
  if (first == 0 && count == size) return tensor;
  if (first < 0 || first >= size || count < 0)
    throw Error(ADZE_OUT_OF_RANGE, "cannot take samples from " + std::to_string(first) + " on of " +
                                       to_string(tensor.shape()));
  Shape shape = tensor.shape();
  shape[axis] = count;
  Tensor cut(tensor.dtype(), shape);
  const auto [rows, block_bytes] = blocks_of(tensor, axis);
  const auto whole = static_cast<std::size_t>(std::min(count, size - first));
  const std::byte* from = tensor.bytes().data();
  std::byte* to = cut.mutate_bytes().data();
  for (std::size_t row = 0; row < rows; ++row) {
    const std::byte* start =
        from +
        (row * static_cast<std::size_t>(size) + static_cast<std::size_t>(first)) * block_bytes;
    std::memcpy(to, start, whole * block_bytes);
    to += whole * block_bytes;
    for (std::size_t i = whole; i < static_cast<std::size_t>(count); ++i, to += block_bytes)
      std::memcpy(to, start + (whole - 1) * block_bytes, block_bytes);
  }
  return cut;
}

Tensor join(std::span<const Tensor> parts, std::size_t axis) {
  if (parts.size() == 1) return parts.front();
  Shape shape = parts.front().shape();
  shape.at(axis) = 0;
  for (const Tensor& part : parts) {
    Shape expected = part.shape();
    if (expected.size() != shape.size() || part.dtype() != parts.front().dtype())
      throw Error(ADZE_INVALID_ARGUMENT, "cannot join tensors of different type or rank");
    expected[axis] = shape[axis];
    if (expected != shape)
      throw Error(ADZE_INVALID_ARGUMENT, "cannot join " + to_string(part.shape()) + " with " +
                                             to_string(parts.front().shape()));
    shape[axis] += part.shape()[axis];
  }
  Tensor joined(parts.front().dtype(), shape);
  const auto [rows, block_bytes] = blocks_of(joined, axis);
  std::byte* to = joined.mutate_bytes().data();
  for (std::size_t row = 0; row < rows; ++row)
    for (const Tensor& part : parts) {
      const std::size_t bytes = static_cast<std::size_t>(part.shape()[axis]) * block_bytes;
      if (bytes) std::memcpy(to, part.bytes().data() + row * bytes, bytes);
      to += bytes;
    }
  return joined;
}

}  // namespace adze::host
