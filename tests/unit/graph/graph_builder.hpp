// Small graphs, spelled in a few lines.
#pragma once

#include <string>
#include <vector>

#include "host/graph/graph.hpp"

namespace adze::host {

class GraphBuilder {
 public:
  std::uint32_t value(const std::string& name, const Shape& shape, std::int32_t batch_axis = -1) {
    Value added;
    added.name = name;
    added.shape = shape;
    added.batch_axis = batch_axis;
    graph.values.push_back(added);
    return static_cast<std::uint32_t>(graph.values.size() - 1);
  }
  std::uint32_t input(const std::string& name, const Shape& shape, std::int32_t batch_axis = 0) {
    graph.inputs.push_back(value(name, shape, batch_axis));
    return graph.inputs.back();
  }
  std::uint32_t constant(const std::string& name, const Tensor& contents) {
    const std::uint32_t added = value(name, contents.shape());
    graph.values[added].dtype = contents.dtype();
    graph.values[added].constant = contents;
    return added;
  }
  std::uint32_t floats(const std::string& name, const Shape& shape,
                       const std::vector<float>& elements) {
    return constant(name, Tensor(DType::f32, shape, std::span<const float>(elements)));
  }
  std::uint32_t integers(const std::string& name, const std::vector<std::int64_t>& elements) {
    return constant(name, Tensor(DType::i64, {static_cast<std::int64_t>(elements.size())},
                                 std::span<const std::int64_t>(elements)));
  }
  Node& node(const std::string& op, const std::vector<std::uint32_t>& inputs,
             const std::vector<std::uint32_t>& outputs, const std::string& name = {}) {
    Node added;
    added.op = op;
    added.name = name.empty() ? op + std::to_string(graph.nodes.size()) : name;
    added.inputs = inputs;
    added.outputs = outputs;
    graph.nodes.push_back(added);
    return graph.nodes.back();
  }

  Graph graph;
};

inline std::vector<std::string> operators(const Graph& graph) {
  std::vector<std::string> ops;
  for (const Node& node : graph.nodes) ops.push_back(node.op);
  return ops;
}

inline const Value& value_named(const Graph& graph, const std::string& name) {
  return graph.value(graph.find_value(name));
}

}  // namespace adze::host
