// Conv: with constant weights over one or two spatial axes as a weighted layer, otherwise tap by
// tap in floats.
#include "plugins/tensor_exec/operators/all.hpp"
#include "plugins/tensor_exec/operators/direct_convolution.hpp"
#include "plugins/tensor_exec/operators/weighted.hpp"
#include "plugins/tensor_exec/operators/window.hpp"

namespace adze::exec {
namespace {

bool is_weighted_layer(const Site& site) {
  for (std::size_t i = 1; i < 3; ++i)
    if (site.has_input(i) && !site.value(site.input(i)).is_constant()) return false;
  for (const std::uint32_t value : {site.input(0), site.input(1), site.output})
    for (const std::int64_t size : site.shape(value))
      if (size == 0) return false;
  return site.shape(site.input(1)).size() <= 4;
}

Geometry conv_geometry(const Site& site) {
  const Value& weights = site.value(site.input(1));
  Geometry g = window_geometry(site, Shape(weights.shape.begin() + 2, weights.shape.end()));
  g.groups = site.node.integer("group", 1);
  return g;
}

}  // namespace

void check_conv(const Site& site) { check_bias(site, direct_convolution(site, 1).out_channels); }

bool conv_takes_addend(const Program& program, const Node& node) {
  if (node.inputs.size() < 2 || node.inputs[1] == ADZE_NONE) return false;
  const Value& weights = program.values[node.inputs[1]];
  // Integers are rounded before they are added.
  if (weights.quantization || weights.shape.empty()) return false;
  // oneDNN 2.6 adds the wrong channels in groups of several that its own kernels do not take.
  const std::int64_t groups = node.integer("group", 1);
  return groups == 1 || groups == weights.shape.front();
}

Planned plan_conv(const Site& site) {
  if (!is_weighted_layer(site)) return plan_direct_convolution(site, direct_convolution(site, 1));
  WeightedLayer layer;
  layer.geometry = conv_geometry(site);
  layer.input = site.input(0);
  layer.weights = site.input(1);
  if (site.has_input(2)) layer.bias = site.input(2);
  layer.output_stride = layer.geometry.depth();
  return plan_weighted(site, layer);
}

}  // namespace adze::exec
