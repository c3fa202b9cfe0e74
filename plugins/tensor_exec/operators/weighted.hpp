// Layers with constant weights (Conv, Gemm, MatMul), all computed as convolutions: in floats, or in
// integers when input and weights are quantized.
#pragma once

#include "plugins/tensor_exec/convolution.hpp"

namespace adze::exec {

struct WeightedLayer {
  Geometry geometry;
  std::uint32_t input = 0;    ///< value
  std::uint32_t weights = 0;  ///< value
  std::uint32_t bias = ADZE_NONE;
  /// Where element (output channel, input channel of the group and tap) of the weights is stored.
  std::int64_t output_stride = 1, depth_stride = 1;
  std::int32_t output_axis = 0;  ///< of the weights' shape; a scale per channel must lie along it
  float weight_factor = 1, bias_factor = 1;  ///< Gemm's alpha and beta
  Layout layout = Layout::channels_last;     ///< of input and output
};

/// Whether a layer by these weights, whose channels lie along `output_axis`, is computed so.
bool runs_as_integers(const Program& program, std::uint32_t input, std::uint32_t weights,
                      std::int32_t output_axis);

Planned plan_weighted(const Site& site, const WeightedLayer& layer);

}  // namespace adze::exec
