// Sizes of what a convolution answers, for tests that make geometries at random.
#pragma once

#include <cstdint>

#include "plugins/tensor_exec/convolution.hpp"

namespace adze::exec {

inline std::int64_t out_size(std::int64_t in, std::int64_t before, std::int64_t after,
                             std::int64_t kernel, std::int64_t stride, std::int64_t dilation) {
  return (in + before + after - ((kernel - 1) * dilation + 1)) / stride + 1;
}

inline Geometry with_output(Geometry g) {
  g.out_height = out_size(g.in_height, g.pad_top, g.pad_bottom, g.kernel_height, g.stride_height,
                          g.dilation_height);
  g.out_width = out_size(g.in_width, g.pad_left, g.pad_right, g.kernel_width, g.stride_width,
                         g.dilation_width);
  return g;
}

}  // namespace adze::exec
