#include "tests/bench/quantize_by_range.hpp"

#include <algorithm>
#include <cmath>
#include <random>

namespace adze::testing {
namespace {

using host::Graph;
using host::kNone;
using host::Node;
using host::Quant;
using host::Tensor;

Quant quant_of_range(float low, float high) {
  low = std::min(low, 0.0f);
  high = std::max(high, low + 1e-6f);
  Quant quant;
  if (low >= 0) {
    quant.scale = {high / 255.0f};
  } else {
    quant.scale = {std::max(high / 127.0f, -low / 128.0f)};
    quant.zero_point = {128};
  }
  return quant;
}

Quant quant_of_weights(const Tensor& weights, std::int32_t axis) {
  const std::vector<float> elements = host::to_f32(weights);
  const auto channels = static_cast<std::size_t>(weights.shape()[static_cast<std::size_t>(axis)]);
  std::size_t inner = 1;
  for (std::size_t i = static_cast<std::size_t>(axis) + 1; i < weights.shape().size(); ++i)
    inner *= static_cast<std::size_t>(weights.shape()[i]);
  Quant quant;
  quant.axis = axis;
  quant.is_signed = true;
  quant.scale.assign(channels, 1e-9f);
  for (std::size_t i = 0; i < elements.size(); ++i) {
    float& scale = quant.scale[i / inner % channels];
    scale = std::max(scale, std::fabs(elements[i]) / 127.0f);
  }
  return quant;
}

bool is_activation_after(const Graph& graph, std::uint32_t value) {
  const auto& consumers = graph.value(value).consumers;
  if (consumers.size() != 1) return false;
  const std::string& op = graph.nodes[consumers.front()].op;
  return op == "Relu" || op == "Clip";
}

}  // namespace

std::vector<Tensor> random_inputs(const Graph& graph, std::int64_t batch, std::uint32_t seed) {
  std::mt19937 engine(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<Tensor> inputs;
  for (const std::uint32_t input : graph.inputs) {
    host::Shape shape = graph.value(input).shape.value();
    if (!shape.empty()) shape[0] = batch;
    Tensor tensor(host::DType::f32, shape);
    for (float& x : tensor.mutate<float>()) x = uniform(engine);
    inputs.push_back(std::move(tensor));
  }
  return inputs;
}

Graph quantize_by_range(const Graph& graph, const host::Component& backend) {
  std::vector<std::uint32_t> measured;
  for (std::uint32_t i = 0; i < graph.values.size(); ++i) {
    const auto& value = graph.values[i];
    if (value.producer != kNone && value.dtype == host::DType::f32 &&
        !is_activation_after(graph, i) &&
        std::find(graph.outputs.begin(), graph.outputs.end(), i) == graph.outputs.end())
      measured.push_back(i);
  }
  host::CompileOptions compile{.batch = 16, .extra_outputs = {}};
  for (const std::uint32_t value : measured)
    compile.extra_outputs.push_back(graph.value(value).name);
  host::BackendRunner runner(backend, {}, graph, "ranges", {}, compile);
  const auto results = runner.run(random_inputs(graph, 16, 1));

  Graph quantized = graph;
  for (const std::uint32_t input : graph.inputs)
    quantized.values[input].quant = quant_of_range(-1, 1);
  for (std::size_t i = 0; i < measured.size(); ++i) {
    const std::vector<float> elements = host::to_f32(results[graph.outputs.size() + i].tensor);
    const auto [low, high] = std::minmax_element(elements.begin(), elements.end());
    quantized.values[measured[i]].quant = quant_of_range(*low, *high);
  }
  for (const std::uint32_t output : graph.outputs)
    quantized.values[output].quant = quant_of_range(-16, 16);
  for (const Node& node : graph.nodes) {
    const std::uint32_t weight = host::weight_of(graph, node);
    if (weight == kNone || node.op == "ConvTranspose") continue;
    const bool by_row = node.op == "Conv" || host::attribute_or<std::int64_t>(node, "transB", 0);
    quantized.values[weight].quant =
        quant_of_weights(*graph.value(weight).constant, by_row ? 0 : 1);
  }
  return quantized;
}

}  // namespace adze::testing
