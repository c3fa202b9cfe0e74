// What ONNX Runtime would refuse, node by node.
#pragma once

#include <adze/adze.hpp>
#include <string>

#include "plugins/onnxruntime/api.hpp"

namespace adze::ort {

/// Reports every node of the call's graph. Nodes are tried alone, one of each kind, so that all
/// that are refused are found and no weights are loaded.
void place(adze_call* call, const Api& api);

/// Why ONNX Runtime would end the process with this node; empty: it would not. A convolution over
/// nothing makes its optimizer divide by zero.
std::string division_by_zero(const adze_graph& graph, const adze_node& node);

/// The call's graph as the host serializes it.
std::span<const std::uint8_t> bytes_of_graph(adze_call* call);

}  // namespace adze::ort
