// Small graphs with numbers in their constants, spelled node by node.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "host/graph/graph.hpp"

namespace adze::host {

/// A graph in topological order, built node by node.
class Sketch {
 public:
  std::uint32_t input(Shape shape) {
    graph_.inputs.push_back(value("input", std::move(shape)));
    return graph_.inputs.back();
  }
  std::uint32_t constant(Shape shape) {
    const std::uint32_t index = value("constant" + std::to_string(graph_.values.size()), shape);
    Tensor tensor(DType::f32, std::move(shape));
    for (float& element : tensor.mutate<float>())
      element = 0.25f + 0.125f * static_cast<float>(++count_ % 7);
    graph_.values[index].constant = std::move(tensor);
    return index;
  }
  std::uint32_t node(const std::string& op, std::vector<std::uint32_t> inputs, Shape shape,
                     std::map<std::string, Attribute> attributes = {}) {
    Node made;
    made.op = op;
    made.name = op + std::to_string(graph_.nodes.size());
    made.op_version = 13;
    made.inputs = std::move(inputs);
    made.outputs = {value(made.name + "_out", std::move(shape))};
    made.attributes = std::move(attributes);
    graph_.nodes.push_back(std::move(made));
    return graph_.nodes.back().outputs[0];
  }
  std::uint32_t conv(std::uint32_t from, std::int64_t outputs, std::int64_t groups = 1,
                     std::int64_t height = 3, std::int64_t width = 3) {
    const Shape in = *graph_.values[from].shape;
    return node(
        "Conv", {from, constant({outputs, in[1] / groups, height, width})},
        {in[0], outputs, in[2], in[3]},
        {{"group", groups},
         {"pads", std::vector<std::int64_t>{height / 2, width / 2, height / 2, width / 2}}});
  }
  /// Along one axis.
  std::uint32_t slice(std::uint32_t from, Shape shape, std::int64_t start, std::int64_t end,
                      std::int64_t axis, std::int64_t step) {
    std::vector<std::uint32_t> inputs{from};
    for (const std::int64_t number : {start, end, axis, step}) inputs.push_back(integers({number}));
    return node("Slice", inputs, std::move(shape));
  }
  std::uint32_t integers(const std::vector<std::int64_t>& numbers) {
    const Shape shape{static_cast<std::int64_t>(numbers.size())};
    const std::uint32_t index = value("integers" + std::to_string(graph_.values.size()), shape);
    graph_.values[index].dtype = DType::i64;
    graph_.values[index].constant =
        Tensor(DType::i64, shape, std::span<const std::int64_t>(numbers));
    return index;
  }
  /// Another result of the last node.
  std::uint32_t one_more_output(Shape shape) {
    const std::uint32_t index =
        value("more" + std::to_string(graph_.values.size()), std::move(shape));
    graph_.nodes.back().outputs.push_back(index);
    return index;
  }
  Graph done(std::uint32_t output) {
    graph_.outputs = {output};
    return graph_;
  }

 private:
  std::uint32_t value(const std::string& name, Shape shape) {
    Value made;
    made.name = name;
    made.dtype = DType::f32;
    made.shape = std::move(shape);
    graph_.values.push_back(std::move(made));
    return static_cast<std::uint32_t>(graph_.values.size() - 1);
  }
  Graph graph_;
  int count_ = 0;
};

}  // namespace adze::host
