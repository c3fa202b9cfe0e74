// Samples cut out of tensors and put together again, along any axis.
#pragma once

#include <span>

#include "host/base/tensor.hpp"

namespace adze::host {

/// Indices [first, first + count) of `axis`; where the tensor ends earlier, its last index is
/// repeated. The tensor itself when that is all of it. `axis` must have at least one index.
Tensor slice_padded(const Tensor& tensor, std::size_t axis, std::int64_t first, std::int64_t count);

/// The parts one behind the other along `axis`. They must agree in type and in all other sizes.
/// Errors: INVALID_ARGUMENT otherwise.
Tensor join(std::span<const Tensor> parts, std::size_t axis);

}  // namespace adze::host
