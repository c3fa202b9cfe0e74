// Small graphs for tests, built by names.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "host/graph/graph.hpp"

namespace ptq {

using adze::host::DType;
using adze::host::Graph;
using adze::host::Node;
using adze::host::Shape;
using adze::host::Tensor;
using adze::host::Value;

/// Builds a graph by names; every result has the shape 1x4x8x8 unless said.
class Builder {
 public:
  std::uint32_t value(const std::string& name, Shape shape = {1, 4, 8, 8}) {
    if (const std::uint32_t known = graph_.find_value(name); known != adze::host::kNone)
      return known;
    Value made;
    made.name = name;
    made.shape = std::move(shape);
    made.batch_axis = 0;
    graph_.values.push_back(std::move(made));
    return static_cast<std::uint32_t>(graph_.values.size() - 1);
  }
  std::uint32_t constant(const std::string& name, const Shape& shape) {
    return constant(name, Tensor(DType::f32, shape));
  }
  std::uint32_t constant(const std::string& name, const Tensor& contents) {
    const std::uint32_t index = value(name, contents.shape());
    graph_.values[index].constant = contents;
    graph_.values[index].batch_axis = -1;
    return index;
  }
  void node(const std::string& op, const std::vector<std::string>& inputs,
            const std::string& output,
            std::map<std::string, adze::host::Attribute> attributes = {}) {
    Node made;
    made.op = op;
    made.name = output + "_node";
    for (const std::string& input : inputs) made.inputs.push_back(value(input));
    made.outputs = {value(output)};
    made.op_version = 13;
    made.attributes = std::move(attributes);
    graph_.nodes.push_back(std::move(made));
  }
  void conv(const std::string& input, const std::string& output) {
    constant(output + ".w", {4, 4, 3, 3});
    constant(output + ".b", {4});
    node("Conv", {input, output + ".w", output + ".b"}, output);
  }
  Graph finish(const std::string& input, const std::vector<std::string>& outputs) {
    graph_.inputs = {value(input)};
    for (const std::string& output : outputs) graph_.outputs.push_back(value(output));
    graph_.relink();
    return graph_;
  }

 private:
  Graph graph_;
};

}  // namespace ptq
