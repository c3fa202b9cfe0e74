// Gemm with constant weights and bias: a fully connected layer.
#include "plugins/tensor_exec/operators/all.hpp"
#include "plugins/tensor_exec/operators/weighted.hpp"

namespace adze::exec {
namespace {

WeightedLayer layer_of(const Site& site) {
  WeightedLayer layer;
  layer.input = site.input(0);
  layer.weights = site.input(1);
  if (site.has_input(2)) layer.bias = site.input(2);
  layer.weight_factor = static_cast<float>(site.node.number("alpha", 1));
  layer.bias_factor = static_cast<float>(site.node.number("beta", 1));
  const Shape in = site.shape(layer.input), weights = site.shape(layer.weights);
  if (in.size() != 2 || weights.size() != 2) site.malformed("its matrices have other than 2 axes");
  const bool transposed = site.node.integer("transB", 0) != 0;
  const std::int64_t outputs = weights[transposed ? 0 : 1], inputs = weights[transposed ? 1 : 0];
  if (in[1] != inputs)
    site.malformed("matrices " + to_string(in) + " and " + to_string(weights) + " do not fit");
  layer.geometry.batch = in[0];
  layer.geometry.in_channels = inputs;
  layer.geometry.out_channels = outputs;
  layer.output_axis = transposed ? 0 : 1;
  layer.output_stride = transposed ? inputs : 1;
  layer.depth_stride = transposed ? 1 : outputs;
  layer.layout = Layout::plain;
  site.expect_output_shape({in[0], outputs});
  return layer;
}

}  // namespace

void check_gemm(const Site& site) {
  if (site.node.integer("transA", 0) != 0) site.refuse("transA is not supported");
  const WeightedLayer layer = layer_of(site);
  if (!site.value(layer.weights).is_constant()) site.refuse("the weights are computed");
  if (layer.bias == ADZE_NONE) return;
  if (!site.value(layer.bias).is_constant()) site.refuse("the bias is computed");
  const Shape bias = site.shape(layer.bias);
  const std::int64_t count = element_count(bias);
  if ((count != 1 && count != layer.geometry.out_channels) || (count != 1 && bias.back() != count))
    site.refuse("the bias is not one value an output channel");
}

Planned plan_gemm(const Site& site) { return plan_weighted(site, layer_of(site)); }

}  // namespace adze::exec
