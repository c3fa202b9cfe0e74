#include "plugins/ptq/channels.hpp"

#include <algorithm>
#include <cmath>

namespace ptq {

bool is_depthwise(const pruning::Layer& layer) {
  return layer.groups > 1 && layer.groups == layer.rows && layer.channels() == 1;
}

std::optional<pruning::Layer> layer_at(const adze_graph& graph, std::uint32_t node) {
  const std::uint32_t weight = adze::weight_of(graph, *graph.nodes[node]);
  if (weight == ADZE_NONE) return std::nullopt;
  const bool stacked = std::string_view(graph.nodes[node]->op) == "MatMul" &&
                       graph.values[weight]->constant->ndim != 2;
  return stacked ? std::nullopt : pruning::layer_of(graph, node);
}

std::vector<double> largest_along(std::span<const float> elements, const adze_tensor& shape,
                                  std::int32_t axis) {
  std::size_t inner = 1;
  for (std::int32_t i = axis + 1; i < shape.ndim; ++i)
    inner *= static_cast<std::size_t>(shape.shape[i]);
  std::vector<double> largest(static_cast<std::size_t>(shape.shape[axis]), 0);
  for (std::size_t i = 0; i < elements.size(); ++i) {
    double& most = largest[i / inner % largest.size()];
    most = std::max(most, std::abs(static_cast<double>(elements[i])));
  }
  return largest;
}

void scale_rows(const pruning::Layer& layer, std::span<const double> factors,
                std::span<float> contents) {
  for (std::int64_t row = 0; row < layer.rows; ++row)
    for (std::int64_t column = 0; column < layer.columns; ++column) {
      float& w = contents[layer.index(row, column)];
      w = static_cast<float>(static_cast<double>(w) * factors[static_cast<std::size_t>(row)]);
    }
}

void scale_inputs(const pruning::Layer& layer, std::span<const double> factors, std::int64_t span,
                  std::span<float> contents) {
  for (std::int64_t row = 0; row < layer.rows; ++row)
    for (std::int64_t column = 0; column < layer.columns; ++column) {
      const auto channel = static_cast<std::size_t>(column / layer.positions / span);
      float& w = contents[layer.index(row, column)];
      w = static_cast<float>(static_cast<double>(w) * factors[channel]);
    }
}

}  // namespace ptq
