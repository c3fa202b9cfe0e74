// Axes of a value as operators name them.
#pragma once

#include "plugins/tensor_exec/operator.hpp"

namespace adze::exec {

/// A shape seen from one axis (or a run of axes): sizes before, along and behind it.
struct Extents {
  std::int64_t outer = 1, middle = 1, inner = 1;
};

/// Around the axes first .. last - 1.
Extents extents_around(const Shape& shape, std::size_t first, std::size_t last);

/// For each element of `to`, in row-major order, the element of `from` that ONNX's broadcasting
/// puts there. Errors: Site::malformed() when the shapes do not fit.
std::vector<std::int64_t> broadcast_map(const Site& site, const Shape& from, const Shape& to);

/// Product of sizes. Errors: Site::refuse() beyond 2^31.
std::int64_t checked_count(const Site& site, const Shape& shape);

}  // namespace adze::exec
