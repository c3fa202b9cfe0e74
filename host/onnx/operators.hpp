// Which operators are known at which opset: libonnx's registry up to 17, our own table above.
#pragma once

#include <onnx/defs/schema.h>
#include <onnx/onnx_pb.h>

#include <string>

namespace adze::host {

inline constexpr std::int64_t kOldestOpset = 1, kTargetOpset = 13;
inline constexpr std::int64_t kLibraryOpset = 17;  ///< the newest that libonnx 1.12 knows
inline constexpr std::int64_t kNewestOpset = 23;   ///< the newest that our table knows

/// Of operators that are not known, in lowered models.
inline constexpr const char* kUnknownDomain = "adze.unknown";

/// The version of ONNX's own domain that the model imports; 0 when it imports none.
std::int64_t opset_of(const onnx::ModelProto& model);

/// The opset in which the form of the operator came in that `opset` means; 0: not known.
std::uint32_t operator_version(const std::string& op, const std::string& domain,
                               std::int64_t opset);
/// libonnx's description, of version 17 at most; nullptr for operators it does not know.
const onnx::OpSchema* schema_of(const std::string& op, const std::string& domain,
                                std::int64_t opset);

/// Errors: INVALID_ARGUMENT naming node, operator and opset for an operator that is not known; with
/// `only_placed` that is a warning, unless ONNX itself is newer than our table.
void check_operators(const onnx::ModelProto& model, bool only_placed);

/// A model that means the same shapes in terms of opset 17 at most, node for node, so that libonnx
/// can check and infer it; operators that are not known get a domain that is not known either.
/// Errors: UNIMPLEMENTED naming the node for features of newer opsets that
/// have no older form.
onnx::ModelProto lowered_to_library_opset(const onnx::ModelProto& model);

}  // namespace adze::host
