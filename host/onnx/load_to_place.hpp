// Models that are looked at and not run.
#pragma once

#include "host/onnx/model.hpp"

namespace adze::host {

/// As load_model(), but an operator that is not known is only warned about (its Node::op_version is
/// 0): the rest of the model can be placed and costed. Its outputs are as the file declares them
/// or, where it declares nothing, like the node's first input.
Graph load_to_place(const std::filesystem::path& path, const LoadOptions& options = {});

}  // namespace adze::host
