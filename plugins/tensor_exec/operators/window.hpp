// Sliding windows: what convolution and pooling share.
#pragma once

#include <algorithm>

#include "plugins/tensor_exec/convolution.hpp"

namespace adze::exec {

/// Largest kernel size, stride, dilation or padding: keeps products far from overflow.
inline constexpr std::int64_t kMaxWindowParameter = 1 << 20;

/// A window that moves along one spatial axis.
struct WindowAxis {
  std::int64_t in = 1, out = 1, kernel = 1, stride = 1, dilation = 1, before = 0, after = 0;
  /// The input element under tap `tap` of the window at `place`; outside the input where padded.
  std::int64_t source(std::int64_t place, std::int64_t tap) const {
    return place * stride - before + tap * dilation;
  }
};

/// Taps of a window inside an axis.
struct Taps {
  std::int64_t begin, end;
  std::int64_t count() const { return end - begin; }
};
/// Of a window whose tap k lies at first + k * step those in [0, size): windows may be much larger
/// than what they see.
inline Taps taps_inside(std::int64_t first, std::int64_t step, std::int64_t kernel,
                        std::int64_t size) {
  const std::int64_t begin = first >= 0 ? 0 : std::min((-first + step - 1) / step, kernel);
  const std::int64_t end = first >= size ? 0 : std::min((size - 1 - first) / step + 1, kernel);
  return {begin, std::max(begin, end)};
}

/// Strides, dilations and paddings of a Conv or pooling node, auto_pad resolved and checked against
/// the shapes of input 0 and output 0, batch included. `kernel`: sizes along the spatial axes.
/// Errors: Site::malformed().
std::vector<WindowAxis> window_axes(const Site& site, const Shape& kernel);

/// The same for one or two spatial axes. Channels of the result are those of output 0; groups stay
/// 1. Errors: Site::refuse(), Site::malformed().
Geometry window_geometry(const Site& site, const Shape& kernel);

/// Axes in front whose window is one element, so that there are three. Errors: Site::refuse() when
/// there are more.
std::vector<WindowAxis> three_axes(const Site& site, std::vector<WindowAxis> axes);

}  // namespace adze::exec
