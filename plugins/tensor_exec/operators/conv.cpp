// Conv: with constant weights over one or two spatial axes as a weighted layer, otherwise in
// floats.
#include <algorithm>

#include "plugins/tensor_exec/operators/all.hpp"
#include "plugins/tensor_exec/operators/direct_convolution.hpp"
#include "plugins/tensor_exec/operators/weighted.hpp"
#include "plugins/tensor_exec/operators/window.hpp"

namespace adze::exec {
namespace {

bool is_weighted_layer(const Program& program, const Node& node) {
  if (node.inputs.size() < 2) return false;
  std::vector<std::uint32_t> values = node.inputs;
  values.push_back(node.outputs.front());
  for (const std::uint32_t index : values) {
    if (index == ADZE_NONE) continue;
    const Value& value = program.values[index];
    if (std::ranges::find(value.shape, 0) != value.shape.end()) return false;
    if (index != node.inputs.front() && index != values.back() && !value.is_constant())
      return false;
  }
  return node.inputs[1] != ADZE_NONE && program.values[node.inputs[1]].shape.size() <= 4;
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
  if (!is_weighted_layer(program, node)) return false;
  const Value& weights = program.values[node.inputs[1]];
  // Integers are rounded before they are added.
  if (weights.quantization || weights.shape.empty()) return false;
  // oneDNN 2.6 adds the wrong channels where its own kernels do not run: on CPUs without AVX2, and
  // in groups of several.
  if (widest_vectors() == Vectors::narrower) return false;
  const std::int64_t groups = node.integer("group", 1);
  return groups == 1 || groups == weights.shape.front();
}

bool conv_takes_chain(const Program& program, const Node& node, bool quantized) {
  if (!is_weighted_layer(program, node)) return false;
  const bool has_integers =
      quant8_of(program.values[node.inputs[0]]) && program.values[node.inputs[1]].quantization;
  return quantized == has_integers &&
         (!quantized || runs_as_integers(program, node.inputs[0], node.inputs[1], 0));
}

Planned plan_conv(const Site& site) {
  if (!is_weighted_layer(site.program, site.node))
    return plan_direct_convolution(site, direct_convolution(site, 1));
  WeightedLayer layer;
  layer.geometry = conv_geometry(site);
  layer.input = site.input(0);
  layer.weights = site.input(1);
  if (site.has_input(2)) layer.bias = site.input(2);
  layer.output_stride = layer.geometry.depth();
  return plan_weighted(site, layer);
}

}  // namespace adze::exec
