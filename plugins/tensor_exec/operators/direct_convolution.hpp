// Convolution and its transpose tap by tap, over plain data with up to three spatial axes: for what
// the fast paths do not take. The order of additions depends on nothing but the problem.
#pragma once

#include <array>

#include "plugins/tensor_exec/operators/window.hpp"

namespace adze::exec {

/// Weights: convolution: output channel, input channel of the group, taps; transposed: input
/// channel, output channel of the group, taps.
struct DirectConvolution {
  std::int64_t batch = 1, groups = 1, in_channels = 1, out_channels = 1;
  /// As a convolution sees them. Transposed, `in` is the size of the result and `out` that of the
  /// source.
  std::array<WindowAxis, 3> axes;
  bool transposed = false;

  std::int64_t source_pixels() const { return transposed ? small_pixels() : large_pixels(); }
  std::int64_t result_pixels() const { return transposed ? large_pixels() : small_pixels(); }
  std::int64_t taps() const { return axes[0].kernel * axes[1].kernel * axes[2].kernel; }

  /// Adds to one channel of one image of the result, which the caller has set to its start. T:
  /// float, or std::uint32_t for integers that may wrap around.
  template <class T>
  void add_channel(const T* src, const T* weights, std::int64_t image, std::int64_t channel,
                   T* dst) const;

 private:
  std::int64_t large_pixels() const { return axes[0].in * axes[1].in * axes[2].in; }
  std::int64_t small_pixels() const { return axes[0].out * axes[1].out * axes[2].out; }
  template <class T>
  void add_tap(const T* src, T weight, const std::array<std::int64_t, 3>& tap, T* dst) const;
};

/// Of a Conv-like node whose weights are input `at`.
/// Errors: Site::refuse(), Site::malformed().
DirectConvolution direct_convolution(const Site& site, std::size_t at);

/// Of input 0 with the weights of input 1 and the bias of input 2, if any, in floats.
Planned plan_direct_convolution(const Site& site, const DirectConvolution& problem);

/// Errors: Site::malformed() when input 2 is there and not one value a channel.
void check_bias(const Site& site, std::int64_t channels);

}  // namespace adze::exec
