// One ONNX operator as LibTorch computes it, gradients included. For the files here that include
// LibTorch anyway.
#pragma once

#include <ATen/core/Tensor.h>

#include <adze/adze.hpp>
#include <functional>
#include <vector>

namespace qat {

/// In the node's order; undefined: left out. Floats all; what an operator reads from integer
/// constants (shapes, axes) it has read when it was made.
using Tensors = std::vector<at::Tensor>;
using Operator = std::function<Tensors(const Tensors& inputs)>;

/// Errors: adze::Error UNIMPLEMENTED naming the node and the operator, and for a known operator
/// what about it is not supported.
Operator make_operator(const adze_graph& graph, const adze_node& node);

/// Only moves numbers: what was on a grid stays on it.
bool only_moves(const adze_node& node);

}  // namespace qat
