#include "plugins/tensor_exec/operators/axes.hpp"

namespace adze::exec {

Extents extents_around(const Shape& shape, std::size_t first, std::size_t last) {
  Extents extents;
  for (std::size_t axis = 0; axis < shape.size(); ++axis)
    (axis < first ? extents.outer : axis < last ? extents.middle : extents.inner) *= shape[axis];
  return extents;
}

std::vector<std::int64_t> broadcast_map(const Site& site, const Shape& from, const Shape& to) {
  const auto fail = [&] {
    site.malformed("shape " + to_string(from) + " does not broadcast to " + to_string(to));
  };
  if (from.size() > to.size()) fail();
  const Shape own = strides_of(from);
  Shape strides(to.size(), 0);
  const std::size_t missing = to.size() - from.size();
  for (std::size_t axis = 0; axis < from.size(); ++axis) {
    if (from[axis] != 1 && from[axis] != to[axis + missing]) fail();
    if (from[axis] != 1) strides[axis + missing] = own[axis];
  }
  std::vector<std::int64_t> map(static_cast<std::size_t>(checked_count(site, to)));
  Shape index(to.size(), 0);
  std::int64_t at = 0;
  for (std::int64_t& element : map) {
    element = at;
    for (std::size_t axis = to.size(); axis-- > 0;) {
      at += strides[axis];
      if (++index[axis] < to[axis]) break;
      at -= strides[axis] * to[axis];
      index[axis] = 0;
    }
  }
  return map;
}

std::int64_t checked_count(const Site& site, const Shape& shape) {
  constexpr std::int64_t kMax = std::int64_t{1} << 31;
  std::int64_t count = 1;
  for (const std::int64_t size : shape) {
    if (size == 0) return 0;
    if (size < 0 || size > kMax / count) site.refuse("it needs more than 2^31 elements");
    count *= size;
  }
  return count;
}

}  // namespace adze::exec
