// Whether two models can be compared at all.
#pragma once

#include <string>

#include "host/graph/graph.hpp"

namespace adze::host {

/// The names are for messages ("cpu:a.onnx"). Errors: INVALID_ARGUMENT naming both models when
/// their inputs differ in number, type or shape, or outputs of the same name in type or shape.
void require_comparable(const Graph& a, const std::string& a_name, const Graph& b,
                        const std::string& b_name);

}  // namespace adze::host
