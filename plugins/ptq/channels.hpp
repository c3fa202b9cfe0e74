// A weight seen by its channels, whatever its operator stores.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "plugins/pruning/layer.hpp"

namespace ptq {

/// A Conv with one kernel a channel: channel c is row c of the weight and its only input.
bool is_depthwise(const pruning::Layer& layer);

/// The layer of a node whose weight is one matrix or a convolution's; nullopt otherwise.
std::optional<pruning::Layer> layer_at(const adze_graph& graph, std::uint32_t node);

/// Largest |w| of each index along `axis` of a row-major tensor.
std::vector<double> largest_along(std::span<const float> elements, const adze_tensor& shape,
                                  std::int32_t axis);

/// `contents` with each row of the layer's weight multiplied by its factor.
void scale_rows(const pruning::Layer& layer, std::span<const double> factors,
                std::span<float> contents);
/// The same for input channels; `span` consecutive ones share a factor (behind a Flatten).
void scale_inputs(const pruning::Layer& layer, std::span<const double> factors, std::int64_t span,
                  std::span<float> contents);

}  // namespace ptq
