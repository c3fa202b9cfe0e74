// Counts of a graph: multiply-accumulates, parameters, zeros.
#pragma once

#include <cstdint>

#include "host/graph/graph.hpp"

namespace adze::host {

/// Multiply-accumulates of one sample in Conv, ConvTranspose, Gemm and MatMul and the integer forms
/// of Conv and MatMul; 0 for other operators and where a shape is not known.
std::int64_t macs_of(const Graph& graph, const Node& node);
/// Elements of the node's floating-point constants.
std::int64_t parameters_of(const Graph& graph, const Node& node);
/// Of the whole model; a constant that several nodes share counts once.
std::int64_t parameters_of(const Graph& graph);

struct ZeroCount {
  std::int64_t zeros = 0, weights = 0;
  double sparsity() const {
    return weights ? static_cast<double>(zeros) / static_cast<double>(weights) : 0.0;
  }
};
/// Zeros in the weight (not the bias) of a Conv, ConvTranspose, Gemm or MatMul.
ZeroCount zeros_of(const Graph& graph, const Node& node);
/// Of all such weights of the model.
ZeroCount zeros_of(const Graph& graph);

}  // namespace adze::host
