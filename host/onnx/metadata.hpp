// What graphs know and ONNX has no field for, as JSON in the model's metadata.
#pragma once

#include "host/graph/graph.hpp"
#include "host/onnx/quantization.hpp"

namespace adze::host {

inline constexpr const char* kMasksKey = "adze.masks";  ///< {initializer: {pattern, axis}}
inline constexpr const char* kBitsKey = "adze.bits";    ///< {value: bits}, where not 8

/// Takes the two keys out of `graph.metadata` and sets keep, pattern and Quant::bits. Errors:
/// INVALID_ARGUMENT for JSON that is not of that form.
void read_metadata(Graph& graph, const RenamedConstants& renamed);
/// The texts for the two keys; keys without contents are left out.
std::map<std::string, std::string> written_metadata(const Graph& graph,
                                                    const RenamedConstants& renamed);

}  // namespace adze::host
