// Tensors, element types and attributes, from protobuf and back.
#pragma once

#include <onnx/onnx_pb.h>

#include <filesystem>
#include <string>

#include "host/graph/graph.hpp"

namespace adze::host {

/// Protobuf and ONNX itself stop here; ONNX Runtime has the same limit.
inline constexpr std::uint64_t kMaxModelBytes = (std::uint64_t{1} << 31) - 1;

/// nullopt for types that have no DType (complex numbers, 8-bit floats).
std::optional<DType> dtype_from_onnx(std::int32_t data_type);
std::int32_t dtype_to_onnx(DType dtype);
/// "float32", or "type 17" for those without a DType.
std::string type_name(std::int32_t data_type);

/// Checks that shape, type and bytes of `proto` agree, then copies. External data are read from
/// below `external_data_dir`. `what` names the tensor in errors ("initializer 'w'"). Errors:
/// INVALID_ARGUMENT, OUT_OF_RANGE (claims more than the file has), UNIMPLEMENTED (type),
/// PERMISSION_DENIED (path leaves the folder).
Tensor tensor_from_proto(const onnx::TensorProto& proto,
                         const std::filesystem::path& external_data_dir, const std::string& what);
void tensor_to_proto(const Tensor& tensor, const std::string& name, onnx::TensorProto& proto);

/// Errors as tensor_from_proto.
Attribute attribute_from_proto(const onnx::AttributeProto& proto,
                               const std::filesystem::path& external_data_dir,
                               const std::string& node_name);
void attribute_to_proto(const std::string& name, const Attribute& attribute,
                        onnx::AttributeProto& proto);

}  // namespace adze::host
