// Sliding windows: what convolution and pooling share.
#pragma once

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
