// Sliding windows: what convolution and pooling share.
#pragma once

#include "plugins/tensor_exec/convolution.hpp"

namespace adze::exec {

/// Strides, dilations and paddings of a Conv or pooling node, auto_pad resolved and checked against
/// the shapes of input 0 and output 0, batch included. `kernel`: sizes along the one or two spatial
/// axes. Channels of the result are those of output 0; groups stay 1. Errors: Site::refuse(),
/// Site::malformed().
Geometry window_geometry(const Site& site, const Shape& kernel);

}  // namespace adze::exec
