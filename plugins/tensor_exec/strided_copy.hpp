// Copies elements between two arrangements of the same axes: transposition, change of layout,
// slices.
#pragma once

#include "plugins/tensor_exec/operator.hpp"

namespace adze::exec {

/// Element (i, j, ...) of `sizes` goes from src + source_offset + the sum of index times stride to
/// its row-major place in dst. Strides may be negative or 0; all counts are elements.
struct StridedCopy {
  Shape sizes, strides;
  std::int64_t source_offset = 0;
  std::size_t element_bytes = 4;
  void run(const std::byte* src, std::byte* dst, int threads) const;
};

std::unique_ptr<Kernel> make_strided_copy(StridedCopy copy);

/// From one layout to another of a value with this shape.
StridedCopy layout_change(const Shape& shape, Layout from, Layout to, std::size_t element_bytes);

}  // namespace adze::exec
