// Steps from the file's bytes to a model that libonnx may see, in this order. Each refuses what the
// next could not survive.
#pragma once

#include <onnx/onnx_pb.h>

#include <cstddef>
#include <filesystem>
#include <map>
#include <span>
#include <string>

#include "host/base/tensor.hpp"

namespace adze::host {

/// Errors: DATA_LOSS (empty, truncated, not ONNX), OUT_OF_RANGE (a field claims more than 2 GiB).
onnx::ModelProto parse_protobuf(std::span<const std::byte> bytes);

/// One spelling for ONNX's own domain, a unique name for every node.
void normalize(onnx::ModelProto& model);

/// Nodes that call the model's own functions become the functions' bodies. Errors: UNIMPLEMENTED
/// (recursion, too large), INVALID_ARGUMENT.
void inline_functions(onnx::ModelProto& model);

/// Unique names, every input produced somewhere, no cycle; then sorts the nodes. Errors:
/// INVALID_ARGUMENT naming the nodes; UNIMPLEMENTED (sparse constants, subgraphs that see outer
/// values).
void check_structure(onnx::ModelProto& model);

/// Takes the constants (initializers and Constant nodes) out of the model: what stays are small
/// ones that shapes may depend on; the others are shown as inputs of the same type and shape. So
/// libonnx never copies weights.
using Constants = std::map<std::string, Tensor>;
Constants take_constants(onnx::ModelProto& model, const std::filesystem::path& external_data_dir);

/// Converts opsets below 13 to 13. Some conversions read the shapes in `value_info`. Constants that
/// the conversion adds are taken out as well.
/// Errors: UNIMPLEMENTED when libonnx cannot convert.
void upgrade_opset(onnx::ModelProto& model, Constants& constants);

}  // namespace adze::host
