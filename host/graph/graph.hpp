// The model in memory: nodes and values with dense indices, in topological order.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "host/base/tensor.hpp"

namespace adze::host {

inline constexpr std::uint32_t kNone = ADZE_NONE;  ///< no node; an optional input left out

/// q = round_half_even(x / scale) + zero_point, saturated to `bits` bits.
struct Quant {
  std::int32_t axis = -1;  ///< -1: one scale for the tensor; else one per index along this axis
  bool is_signed = false;
  std::uint8_t bits = 8;
  std::vector<float> scale;              ///< finite, > 0
  std::vector<std::int32_t> zero_point;  ///< as long as scale; empty: all 0
  bool operator==(const Quant&) const = default;
};

/// A subgraph attribute is kept as the serialized GraphProto it came as, and only passed through.
struct Subgraph {
  std::string serialized;
};
using Attribute = std::variant<std::int64_t, double, std::string, std::vector<std::int64_t>,
                               std::vector<double>, std::vector<std::string>, Tensor, Subgraph>;

struct Value {
  std::string name;  ///< unique, not empty
  DType dtype = DType::f32;
  std::optional<Shape> shape;  ///< -1: depends on the data; nullopt: rank not known
  /// The axis that grows with the batch, whose size `shape` shows as 1; -1: none.
  std::int32_t batch_axis = -1;
  std::optional<Tensor> constant;
  std::vector<std::uint8_t> keep;  ///< mask of a constant, a byte an element, 0 = pruned; or empty
  std::string pattern;             ///< of `keep`: "unstructured", "4:16", ...
  std::optional<Quant> quant;      ///< QDQ pairs are shown here, never as nodes
  // Filled by Graph::relink():
  std::uint32_t producer = kNone;
  std::vector<std::uint32_t> consumers;  ///< ascending, each node once
};

struct Node {
  std::string op, domain, name;  ///< name: unique, not empty; domain "" is ONNX's own
  std::uint32_t op_version = 0;  ///< the opset in which this form of the operator came in
  std::vector<std::uint32_t> inputs, outputs;  ///< values; kNone: optional and left out
  std::map<std::string, Attribute> attributes;
};

/// Copies are cheap (constants are shared), so that edits can be tried and committed all or
/// nothing.
struct Graph {
  std::string name;
  std::int64_t opset = 13, ir_version = 7;
  std::map<std::string, std::int64_t> domains;  ///< versions of domains other than ONNX's own
  std::vector<Node> nodes;                      ///< topological order
  std::vector<Value> values;
  std::vector<std::uint32_t> inputs, outputs;   ///< values, in the model's order
  std::map<std::string, std::string> metadata;  ///< metadata_props but "adze.masks"
  std::map<std::string, std::string> symbols;   ///< value name -> name of its symbolic batch size

  /// Restores every rule above after a change: drops values that nothing uses, renumbers values
  /// (inputs, then constants and results in order of first use), sorts nodes topologically
  /// (stable), recomputes producers and consumers. Errors: INVALID_ARGUMENT naming the nodes of a
  /// cycle, a value produced twice, an input nobody produces.
  void relink();

  const Value& value(std::uint32_t index) const { return values.at(index); }
  /// kNone when there is none.
  std::uint32_t find_value(std::string_view value_name) const;
  std::uint32_t find_node(std::string_view node_name) const;
};

/// The attribute as T, or `fallback` when the node has none. Errors: INVALID_ARGUMENT naming node
/// and attribute when it has another type.
template <class T>
T attribute_or(const Node& node, const std::string& name, T fallback);

/// The constant weight (input 1) of a Conv, ConvTranspose, Gemm or MatMul; kNone otherwise.
std::uint32_t weight_of(const Graph& graph, const Node& node);

}  // namespace adze::host
