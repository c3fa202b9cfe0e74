// ONNX files and bytes to graphs and back. The only folder that sees protobuf.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "host/graph/graph.hpp"

namespace adze::host {

struct LoadOptions {
  /// Sizes for symbolic or unknown dimensions other than the batch: input name -> full shape.
  std::map<std::string, Shape> input_shapes;
  /// Inputs whose contents are known beforehand: they become constants of the graph. Errors:
  /// INVALID_ARGUMENT for a name that is no input.
  std::map<std::string, Tensor> constants;
};

/// Checks, infers shapes, converts opsets below 13 to 13, inlines functions, folds QDQ pairs into
/// Value::quant, gives Conv, ConvTranspose and Gemm a bias of their own, reads "adze.masks". The
/// graph is not simplified: see graph/simplify.hpp. Errors: NOT_FOUND; DATA_LOSS (truncated, not
/// ONNX); INVALID_ARGUMENT (cycle, unknown operator, missing initializer, wrong shape: naming the
/// node); OUT_OF_RANGE (claims more bytes than it has, over 2 GiB).
Graph load_model(const std::filesystem::path& path, const LoadOptions& options = {});
Graph parse_model(std::span<const std::byte> bytes, const std::filesystem::path& external_data_dir,
                  const LoadOptions& options = {});

/// A tensor by itself, as ONNX's test data hold them: a file with one TensorProto. Errors:
/// NOT_FOUND; DATA_LOSS; as a model's constants.
Tensor load_tensor(const std::filesystem::path& path);

/// The same bytes for the same graph. Quantized values become QuantizeLinear/DequantizeLinear
/// pairs, quantized constants int8 initializers with a DequantizeLinear, biases int32. Opset =
/// max(13, graph.opset). Errors: OUT_OF_RANGE over 2 GiB.
std::vector<std::byte> serialize_model(const Graph& graph);
/// Atomically.
void save_model(const Graph& graph, const std::filesystem::path& path);

}  // namespace adze::host
