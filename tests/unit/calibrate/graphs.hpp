// Small graphs for tests.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "host/graph/graph.hpp"

namespace adze::host::test {

inline Tensor random_tensor(const Shape& shape, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<float> elements(static_cast<std::size_t>(element_count(shape)));
  for (float& x : elements) x = static_cast<float>(random() >> 40) * 0x1p-23f - 1;
  return {DType::f32, shape, std::span<const float>(elements)};
}

/// x -> node -> y, with a constant weight.
inline Graph one_node(const std::string& op, const Shape& input, const Shape& weight,
                      std::map<std::string, Attribute> attributes = {}) {
  Graph graph;
  graph.values = {{.name = "x", .shape = input, .batch_axis = 0},
                  {.name = "w", .shape = weight, .constant = random_tensor(weight, 7)},
                  {.name = "y", .shape = Shape{1}, .batch_axis = 0}};
  graph.nodes = {{.op = op,
                  .name = "layer",
                  .op_version = 13,
                  .inputs = {0, 1},
                  .outputs = {2},
                  .attributes = std::move(attributes)}};
  graph.inputs = {0};
  graph.outputs = {2};
  graph.values[2].producer = 0;
  graph.values[0].consumers = {0};
  graph.values[1].consumers = {0};
  return graph;
}

}  // namespace adze::host::test
