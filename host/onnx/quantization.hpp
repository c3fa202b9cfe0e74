// QuantizeLinear/DequantizeLinear nodes of files to Value::quant and back.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "host/graph/graph.hpp"

namespace adze::host {

/// Which value a constant of the file became: (name in the file, name in the graph).
using RenamedConstants = std::vector<std::pair<std::string, std::string>>;

/// Pairs become Value::quant, dequantized constants become floating-point constants (with `quant`,
/// when they have 8 bits). A pair whose unquantized value is used as well leaves an Identity.
/// Nodes that form no pair, or whose parameters are not constant, stay.
RenamedConstants fold_qdq(Graph& graph);

/// The reverse, for a file: every quantized value gets its pair, every quantized constant an 8-bit
/// one, and biases of nodes with quantized input and weight a 32-bit one.
Graph with_qdq(const Graph& graph, RenamedConstants& renamed);

}  // namespace adze::host
