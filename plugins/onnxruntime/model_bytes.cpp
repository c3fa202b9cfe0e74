#include "plugins/onnxruntime/model_bytes.hpp"

#include <set>

#include "plugins/onnxruntime/wire.hpp"

namespace adze::ort {
namespace {

// Numbers of fields, from onnx.proto. They never change.
namespace model {
constexpr std::uint32_t kIrVersion = 1, kGraph = 7, kOpset = 8;
}
namespace graph {
constexpr std::uint32_t kNode = 1, kName = 2, kInput = 11, kOutput = 12;
}
namespace node {
constexpr std::uint32_t kInput = 1, kOutput = 2, kName = 3, kOp = 4, kAttribute = 5, kDomain = 7;
}
namespace value_info {
constexpr std::uint32_t kName = 1, kType = 2;
}
constexpr std::uint32_t kTensorType = 1, kElementType = 1;

NodeBytes read_node(BytesView bytes) {
  NodeBytes made;
  made.whole = bytes;
  FieldReader fields(bytes);
  for (Field field; fields.next(field);) {
    if (field.number == node::kInput) made.inputs.push_back(field.text());
    if (field.number == node::kOutput) made.outputs.push_back(field.text());
    if (field.number == node::kName) made.name = field.text();
    if (field.number == node::kOp) made.op = field.text();
    if (field.number == node::kAttribute) made.attributes.push_back(field.bytes);
    if (field.number == node::kDomain) made.domain = field.text();
  }
  return made;
}

/// A ValueInfoProto; its type is left out where it follows from the nodes.
Bytes value_info_of(std::string_view name, std::int32_t element_type) {
  Bytes made;
  append_text(made, value_info::kName, name);
  if (element_type == 0) return made;
  Bytes tensor, type;
  append_number(tensor, kElementType, static_cast<std::uint64_t>(element_type));
  append_bytes(type, kTensorType, tensor);
  append_bytes(made, value_info::kType, type);
  return made;
}

}  // namespace

ModelBytes::ModelBytes(BytesView bytes) : model_(bytes) {
  FieldReader fields(bytes);
  for (Field field; fields.next(field);) {
    if (field.number == model::kIrVersion) ir_version_ = field.value;
    if (field.number == model::kOpset) opsets_.push_back(field.bytes);
    if (field.number != model::kGraph) continue;
    FieldReader inside(field.bytes);
    for (Field part; inside.next(part);)
      if (part.number == graph::kNode) nodes_.push_back(read_node(part.bytes));
  }
  for (const NodeBytes& each : nodes_) {
    if (!each.domain.empty() || each.inputs.empty() || each.outputs.empty()) continue;
    if (each.op == "QuantizeLinear") quantized_.emplace(each.inputs[0], each.outputs[0]);
    if (each.op == "DequantizeLinear") dequantized_.emplace(each.inputs[0], each.outputs[0]);
  }
}

std::string_view ModelBytes::behind_quantization(std::string_view value) const {
  const auto quantized = quantized_.find(value);
  if (quantized == quantized_.end()) return {};
  const auto dequantized = dequantized_.find(quantized->second);
  return dequantized == dequantized_.end() ? std::string_view{} : dequantized->second;
}

Bytes ModelBytes::with_outputs(std::span<const std::string> names) const {
  Bytes outputs;
  for (const std::string& name : names)
    append_bytes(outputs, graph::kOutput, value_info_of(name, 0));
  Bytes made;
  made.reserve(model_.size() + outputs.size() + 16);
  made.assign(model_.begin(), model_.end());
  if (!outputs.empty()) append_bytes(made, model::kGraph, outputs);
  return made;
}

Bytes ModelBytes::alone(const NodeBytes& each, std::span<const std::int32_t> input_types) const {
  Bytes inner;
  append_bytes(inner, graph::kNode, each.whole);
  append_text(inner, graph::kName, "one node");
  std::set<std::string_view> seen;
  for (std::size_t i = 0; i < each.inputs.size() && i < input_types.size(); ++i)
    if (!each.inputs[i].empty() && seen.insert(each.inputs[i]).second)
      append_bytes(inner, graph::kInput, value_info_of(each.inputs[i], input_types[i]));
  for (const std::string_view output : each.outputs)
    if (!output.empty()) append_bytes(inner, graph::kOutput, value_info_of(output, 0));
  Bytes made;
  append_number(made, model::kIrVersion, ir_version_);
  for (const BytesView opset : opsets_) append_bytes(made, model::kOpset, opset);
  append_bytes(made, model::kGraph, inner);
  return made;
}

}  // namespace adze::ort
