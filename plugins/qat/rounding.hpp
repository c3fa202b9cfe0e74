// Rounding to a grid as an operation of LibTorch that has a gradient. Scales are learned as their
// logarithms, so that they stay positive and a step changes large and small ones alike.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "plugins/qat/fake_quant.hpp"

namespace qat {

/// Without gaps in memory, in whatever order.
at::Tensor dense(const at::Tensor& x);

/// A whole tensor on one grid; log_scale: f32[1].
at::Tensor round_tensor(const at::Tensor& x, const at::Tensor& log_scale, float low, float high);

/// A weight, contiguous, from -kLargestWeight to kLargestWeight; log_scales: f32[channels.count].
at::Tensor round_channels(const at::Tensor& w, const at::Tensor& log_scales,
                          const Channels& channels);

}  // namespace qat
