// Which nodes are not quantized: those the user names, and what decodes the results.
#pragma once

#include <adze/adze.hpp>
#include <span>
#include <string>
#include <vector>

namespace ptq {

/// By node. Entries are names of nodes, globs of them, or operator types. Errors: adze::Error
/// NOT_FOUND, with the nearest name, for an entry that matches nothing.
std::vector<bool> named_nodes(const adze_graph& graph, std::span<const std::string> entries);

/// By node: those with no layer (Conv, Gemm, MatMul) behind them, from the first operator on that
/// mixes or maps results (Softmax, Sigmoid, Exp, Concat, Mul, ...). There a grid of 256 steps for
/// box corners and scores together, or for logits before an exponential, costs accuracy, and the
/// layers before hand out exact sums when nothing is rounded. Pooling and resizing of a
/// segmentation's results stay.
std::vector<bool> decoding_nodes(const adze_graph& graph);

}  // namespace ptq
