// Small ONNX models, spelled in a few lines.
#pragma once

#include <onnx/onnx_pb.h>

#include <cstddef>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "host/graph/graph.hpp"

namespace adze::host {

/// A size, or the name of one; "" is a size that is not known.
using Dim = std::variant<std::int64_t, std::string>;

class ModelBuilder {
 public:
  explicit ModelBuilder(std::int64_t opset = 13, std::int64_t ir_version = 7) {
    model.set_ir_version(ir_version);
    model.mutable_graph()->set_name("test");
    auto& import = *model.add_opset_import();
    import.set_domain("");
    import.set_version(opset);
  }

  ModelBuilder& input(const std::string& name, const std::vector<Dim>& dims,
                      std::int32_t type = onnx::TensorProto::FLOAT) {
    describe(*model.mutable_graph()->add_input(), name, dims, type);
    return *this;
  }
  ModelBuilder& output(const std::string& name, const std::vector<Dim>& dims,
                       std::int32_t type = onnx::TensorProto::FLOAT) {
    describe(*model.mutable_graph()->add_output(), name, dims, type);
    return *this;
  }
  template <class T>
  ModelBuilder& constant(const std::string& name, std::int32_t type, const Shape& shape,
                         const std::vector<T>& elements) {
    fill(*model.mutable_graph()->add_initializer(), name, type, shape, elements);
    return *this;
  }
  ModelBuilder& floats(const std::string& name, const Shape& shape,
                       const std::vector<float>& elements) {
    return constant(name, onnx::TensorProto::FLOAT, shape, elements);
  }
  /// 0, 0.1, 0.2, ... repeating after eleven elements.
  ModelBuilder& ramp(const std::string& name, const Shape& shape) {
    std::vector<float> elements;
    for (std::int64_t i = 0; i < element_count(shape); ++i)
      elements.push_back(static_cast<float>(i % 11) / 10 - 0.3f);
    return floats(name, shape, elements);
  }
  ModelBuilder& integers(const std::string& name, const std::vector<std::int64_t>& elements) {
    return constant(name, onnx::TensorProto::INT64, {static_cast<std::int64_t>(elements.size())},
                    elements);
  }
  ModelBuilder& node(const std::string& op, const std::vector<std::string>& inputs,
                     const std::vector<std::string>& outputs, const std::string& name = {}) {
    onnx::NodeProto& node = *model.mutable_graph()->add_node();
    node.set_op_type(op);
    node.set_name(name.empty() ? outputs.front() : name);
    for (const auto& value : inputs) node.add_input(value);
    for (const auto& value : outputs) node.add_output(value);
    return *this;
  }
  /// Attributes of the node added last.
  ModelBuilder& attribute(const std::string& name, std::int64_t value) {
    auto& added = add_attribute(name, onnx::AttributeProto::INT);
    added.set_i(value);
    return *this;
  }
  ModelBuilder& attribute(const std::string& name, const std::vector<std::int64_t>& values) {
    auto& added = add_attribute(name, onnx::AttributeProto::INTS);
    for (const auto value : values) added.add_ints(value);
    return *this;
  }
  template <class T>
  ModelBuilder& attribute(const std::string& name, std::int32_t type, const Shape& shape,
                          const std::vector<T>& elements) {
    fill(*add_attribute(name, onnx::AttributeProto::TENSOR).mutable_t(), {}, type, shape, elements);
    return *this;
  }
  ModelBuilder& metadata(const std::string& key, const std::string& text) {
    auto& entry = *model.add_metadata_props();
    entry.set_key(key);
    entry.set_value(text);
    return *this;
  }

  std::vector<std::byte> bytes() const {
    const std::string text = model.SerializeAsString();
    const auto view = std::as_bytes(std::span(text));
    return {view.begin(), view.end()};
  }

  onnx::ModelProto model;

 private:
  static void describe(onnx::ValueInfoProto& value, const std::string& name,
                       const std::vector<Dim>& dims, std::int32_t type) {
    value.set_name(name);
    auto& tensor = *value.mutable_type()->mutable_tensor_type();
    tensor.set_elem_type(type);
    auto& shape = *tensor.mutable_shape();
    for (const Dim& dim : dims) {
      auto& added = *shape.add_dim();
      if (const auto* size = std::get_if<std::int64_t>(&dim)) added.set_dim_value(*size);
      if (const auto* symbol = std::get_if<std::string>(&dim); symbol && !symbol->empty())
        added.set_dim_param(*symbol);
    }
  }
  template <class T>
  static void fill(onnx::TensorProto& tensor, const std::string& name, std::int32_t type,
                   const Shape& shape, const std::vector<T>& elements) {
    tensor.set_name(name);
    tensor.set_data_type(type);
    for (const auto size : shape) tensor.add_dims(size);
    tensor.set_raw_data(elements.data(), elements.size() * sizeof(T));
  }
  onnx::AttributeProto& add_attribute(const std::string& name,
                                      onnx::AttributeProto::AttributeType type) {
    auto& nodes = *model.mutable_graph()->mutable_node();
    onnx::AttributeProto& added = *nodes[nodes.size() - 1].add_attribute();
    added.set_name(name);
    added.set_type(type);
    return added;
  }
};

/// Input x (batch 'N', 3x8x8), Conv 3 -> 4 without bias, BatchNormalization, Relu,
/// GlobalAveragePool, Flatten, Gemm to `y` (N x 5).
inline ModelBuilder small_cnn(std::int64_t opset = 13) {
  ModelBuilder builder(opset);
  builder.input("x", {"N", 3, 8, 8})
      .output("y", {"N", 5})
      .ramp("w", {4, 3, 3, 3})
      .node("Conv", {"x", "w"}, {"c"}, "conv")
      .attribute("kernel_shape", std::vector<std::int64_t>{3, 3})
      .attribute("pads", std::vector<std::int64_t>{1, 1, 1, 1})
      .floats("scale", {4}, {1.0f, 0.5f, 2.0f, -1.0f})
      .floats("shift", {4}, {0.1f, 0.2f, 0.3f, 0.4f})
      .floats("mean", {4}, {0.5f, -0.5f, 0.25f, 0.0f})
      .floats("variance", {4}, {1.0f, 4.0f, 0.25f, 2.0f})
      .node("BatchNormalization", {"c", "scale", "shift", "mean", "variance"}, {"n"}, "norm")
      .node("Relu", {"n"}, {"r"}, "relu")
      .node("GlobalAveragePool", {"r"}, {"p"}, "pool")
      .node("Flatten", {"p"}, {"f"}, "flatten")
      .ramp("gw", {5, 4})
      .node("Gemm", {"f", "gw"}, {"y"}, "gemm")
      .attribute("transB", std::int64_t{1});
  return builder;
}

inline std::vector<std::string> operators(const Graph& graph) {
  std::vector<std::string> ops;
  for (const Node& node : graph.nodes) ops.push_back(node.op);
  return ops;
}

inline const Value& value_named(const Graph& graph, const std::string& name) {
  return graph.value(graph.find_value(name));
}

}  // namespace adze::host
