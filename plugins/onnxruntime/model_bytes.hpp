// A serialized ONNX model, read and extended without its schema: protobuf's wire format allows
// both, because one message behind another means the two merged.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace adze::ort {

using Bytes = std::vector<std::uint8_t>;
using BytesView = std::span<const std::uint8_t>;

/// A node of the main graph. Everything in it lies in the model's bytes.
struct NodeBytes {
  std::string_view op, domain, name;
  std::vector<std::string_view> inputs, outputs;  ///< "": optional and left out
  std::vector<BytesView> attributes;
  BytesView whole;
};

class ModelBytes {
 public:
  /// `model` must outlive the object. Errors: DATA_LOSS for what is no protobuf.
  explicit ModelBytes(BytesView model);

  const std::vector<NodeBytes>& nodes() const { return nodes_; }
  /// What comes out of the QuantizeLinear and DequantizeLinear behind a value; "" without them.
  std::string_view behind_quantization(std::string_view value) const;

  /// The model with these computed values as outputs behind its own.
  Bytes with_outputs(std::span<const std::string> names) const;
  /// A model of that node alone, whose inputs have the types given (ONNX's numbers; 0: not said).
  Bytes alone(const NodeBytes& node, std::span<const std::int32_t> input_types) const;

 private:
  BytesView model_;
  std::uint64_t ir_version_ = 0;
  std::vector<BytesView> opsets_;
  std::vector<NodeBytes> nodes_;
  std::map<std::string_view, std::string_view> quantized_, dequantized_;  // result by input
};

}  // namespace adze::ort
