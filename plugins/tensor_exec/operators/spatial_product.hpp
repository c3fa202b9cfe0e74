// Convolutions over up to three axes, and transposed ones, as matrix products of oneDNN.
#pragma once

#include <span>

#include "plugins/tensor_exec/operators/direct_convolution.hpp"

namespace adze::exec {

/// Of plain floats, on one thread, so that the order of additions is always the same. `weights` lie
/// as in the model, `bias`: one value an output channel. nullptr: oneDNN does not take it.
std::unique_ptr<Kernel> make_spatial_product(const DirectConvolution& problem,
                                             std::span<const float> weights,
                                             std::span<const float> bias, const Clamp& clamp,
                                             std::size_t& out_scratch_bytes);

}  // namespace adze::exec
