// Which nodes of a model compute in integers, why the others do not, and on which grids.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "host/graph/graph.hpp"

namespace adze::host {

enum class Precision : std::uint8_t {
  int8,      ///< all it reads and writes lies on 8-bit grids
  floating,  ///< something it reads or writes does not
  none       ///< no numbers of samples pass through: shape arithmetic, conversions between grids
};

struct NodePrecision {
  Precision precision = Precision::none;
  /// Of `floating`: why. Of `int8`: empty, or what is special about its result.
  std::string reason;
};

/// One a node. QDQ pairs count where they were found (Value::quant), and so do the operators that
/// carry scales among their inputs (QLinearConv, ...). A Relu or Clip that is the only reader of a
/// layer's unrounded sums runs with that layer. Operators that only move numbers are int8 when what
/// they move is.
std::vector<NodePrecision> node_precisions(const Graph& graph);

/// Whether any tensor has a grid.
bool is_quantized(const Graph& graph);

/// A tensor that lies on a grid.
struct QuantizedTensor {
  std::string name;
  bool is_constant = false;
  std::uint32_t value = kNone;
  Quant quant;
};

/// Those of Value::quant and those that Q operators of the file name; each once, in the graph's
/// order. Scales that are computed while the model runs are not known and left out.
std::vector<QuantizedTensor> quantized_tensors(const Graph& graph);

struct MacShare {
  std::int64_t macs = 0, int8_macs = 0;
  double int8_share() const {
    return macs ? static_cast<double>(int8_macs) / static_cast<double>(macs) : 0.0;
  }
};
MacShare int8_macs(const Graph& graph);

/// Only hands numbers on: what goes in and what comes out can share a grid.
bool only_moves(const Node& node);
/// The inputs of `node` that hold numbers it computes with: neither biases, shapes nor limits.
std::vector<std::uint32_t> number_inputs(const Graph& graph, const Node& node);

}  // namespace adze::host
