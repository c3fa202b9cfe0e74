// A layer's weight as a matrix: a row an output, a column an input of that output.
#pragma once

#include <adze/adze.hpp>
#include <cstdint>
#include <optional>
#include <vector>

namespace pruning {

struct Layer {
  std::uint32_t node = 0, weight = 0;
  std::uint32_t bias = ADZE_NONE;  ///< a bias with one element an output, which a refit may change
  std::int64_t rows = 0, columns = 0;
  std::int64_t groups = 1;     ///< of a Conv: rows / groups consecutive rows share their inputs
  std::int64_t positions = 1;  ///< columns = channels * positions; the position runs faster
  std::int64_t row_stride = 0, column_stride = 0;  ///< in elements of the weight
  double output_factor = 1;  ///< Gemm's alpha: what the products are multiplied with
  double bias_factor = 1;  ///< a bias of 1 does this many times what a weight on an input of 1 does
  bool has_other_bias = false;  ///< something is added that a refit may not change

  std::int64_t count() const { return rows * columns; }
  std::int64_t channels() const { return columns / positions; }
  std::int64_t group_rows() const { return groups ? rows / groups : rows; }
  /// The same layer with its weight stored row by row.
  Layer by_rows() const {
    Layer stored = *this;
    stored.row_stride = columns;
    stored.column_stride = 1;
    return stored;
  }
  std::size_t index(std::int64_t row, std::int64_t column) const {
    return static_cast<std::size_t>(row * row_stride + column * column_stride);
  }
};

/// The layer of a Conv, Gemm or MatMul with a constant weight of rank >= 2; nullopt for any other
/// node. Errors: adze::Error UNIMPLEMENTED for a MatMul whose weight is a stack of matrices.
std::optional<Layer> layer_of(const adze_graph& graph, std::uint32_t node);

/// Those of the targets in the order data reaches them, each weight once.
std::vector<Layer> layers_of(const adze_graph& graph);

}  // namespace pruning
