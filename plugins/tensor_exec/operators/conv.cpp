// Conv with constant weights, over one or two spatial axes.
#include "plugins/tensor_exec/operators/all.hpp"
#include "plugins/tensor_exec/operators/weighted.hpp"
#include "plugins/tensor_exec/operators/window.hpp"

namespace adze::exec {
namespace {

Geometry geometry_of(const Site& site) {
  const Value& weights = site.value(site.input(1));
  if (weights.shape.size() < 3) site.malformed("the weights have too few axes");
  Geometry g = window_geometry(site, Shape(weights.shape.begin() + 2, weights.shape.end()));
  g.groups = site.node.integer("group", 1);
  if (g.groups < 1 || g.in_channels % g.groups != 0 || g.out_channels % g.groups != 0 ||
      weights.shape[0] != g.out_channels || weights.shape[1] != g.group_inputs())
    site.malformed("weights " + to_string(weights.shape) + " do not fit " +
                   std::to_string(g.in_channels) + " input channels in " +
                   std::to_string(g.groups) + " groups");
  return g;
}

}  // namespace

void check_conv(const Site& site) {
  geometry_of(site);
  if (!site.value(site.input(1)).is_constant()) site.refuse("the weights are computed");
  if (site.has_input(2) && !site.value(site.input(2)).is_constant())
    site.refuse("the bias is computed");
}

Planned plan_conv(const Site& site) {
  WeightedLayer layer;
  layer.geometry = geometry_of(site);
  layer.input = site.input(0);
  layer.weights = site.input(1);
  if (site.has_input(2)) layer.bias = site.input(2);
  layer.output_stride = layer.geometry.depth();
  return plan_weighted(site, layer);
}

}  // namespace adze::exec
