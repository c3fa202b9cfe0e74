// Axes of a value as operators name them.
#pragma once

#include "plugins/tensor_exec/operator.hpp"

namespace adze::exec {

/// A shape seen from one axis (or a run of axes): sizes before, along and behind it.
struct Extents {
  std::int64_t outer = 1, middle = 1, inner = 1;
};

/// An axis that may count from the end. Errors: Site::malformed() when there is none such.
std::size_t normal_axis(const Site& site, std::int64_t axis, std::size_t rank);

/// Around the axes first .. last - 1.
Extents extents_around(const Shape& shape, std::size_t first, std::size_t last);

/// For operators whose result depends on all indices of `axis` of `value`: samples of a batch must
/// not be mixed. Errors: Site::refuse() when the axis is the batch and holds several samples.
void refuse_across_batch(const Site& site, std::uint32_t value, std::size_t axis);

/// For each element of `to`, in row-major order, the element of `from` that ONNX's broadcasting
/// puts there. Errors: Site::malformed() when the shapes do not fit.
std::vector<std::int64_t> broadcast_map(const Site& site, const Shape& from, const Shape& to);

/// Product of sizes. Errors: Site::refuse() beyond 2^31.
std::int64_t checked_count(const Site& site, const Shape& shape);

}  // namespace adze::exec
