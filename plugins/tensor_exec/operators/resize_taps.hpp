// Which elements of the input make an element of the result of Resize or Upsample, axis by axis.
#pragma once

#include "plugins/tensor_exec/operator.hpp"

namespace adze::exec {

/// One axis of a Resize: output element i is the sum of its `width` taps.
struct ResizeAxis {
  struct Tap {
    std::int64_t index;
    float weight;
  };
  std::int64_t in = 1, out = 1;
  std::size_t width = 1;           ///< taps of each output element: 1, 2 or 4
  std::vector<Tap> taps;           ///< out * width
  std::vector<char> extrapolated;  ///< output elements outside the input; empty: none
  bool is_identity() const;
};

/// One entry an axis of the input. Errors: Site::refuse(), Site::malformed().
std::vector<ResizeAxis> resize_axes(const Site& site);

}  // namespace adze::exec
