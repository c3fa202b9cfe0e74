// Pools over plain data with up to three spatial axes, for what the fast ones do not take: three
// axes, indices of the largest elements, powers.
#pragma once

#include <array>

#include "plugins/tensor_exec/operators/window.hpp"

namespace adze::exec {

struct GeneralPool {
  enum class Function : std::uint8_t { max, average, power } function = Function::max;
  std::int64_t planes = 1;  ///< batch times channels
  DType type = DType::f32;
  std::array<WindowAxis, 3> axes;
  bool count_padding = false;  ///< average
  double power = 2;
  bool has_indices = false;   ///< max: also where in the whole input the largest element is
  bool column_major = false;  ///< indices count the spatial axes in reverse
  std::int64_t in_pixels() const { return axes[0].in * axes[1].in * axes[2].in; }
  std::int64_t out_pixels() const { return axes[0].out * axes[1].out * axes[2].out; }
};

/// Input and output 0: floats, or for the maximum elements of `type`; output 1: int64, when it has
/// indices.
std::unique_ptr<Kernel> make_general_pool(const GeneralPool& pool);

/// Planes and axes of a pooling node with this kernel. Errors: Site::refuse(), Site::malformed().
GeneralPool general_pool(const Site& site, const Shape& kernel);

}  // namespace adze::exec
