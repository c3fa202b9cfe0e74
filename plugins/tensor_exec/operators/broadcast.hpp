// Operands of one result that are repeated along axes they do not have.
#pragma once

#include "plugins/tensor_exec/operator.hpp"

namespace adze::exec {

/// Errors: malformed() when they do not broadcast.
Shape broadcast_shape(const Site& site, const std::vector<Shape>& operands);

/// Walks through the result row by row (along its last axis), and through each operand with it.
class Broadcast {
 public:
  /// All row-major; each of `operands` broadcasts to `result`.
  Broadcast(const Shape& result, const std::vector<Shape>& operands);

  std::int64_t rows() const { return rows_; }
  std::int64_t width() const { return width_; }
  /// The first element of a row of an operand, and the step to its next: 0 or 1.
  std::int64_t start(std::size_t operand, std::int64_t row) const;
  std::int64_t step(std::size_t operand) const { return strides_[operand].back(); }

 private:
  Shape sizes_;
  std::vector<Shape> strides_;
  std::int64_t rows_ = 0, width_ = 0;
};

}  // namespace adze::exec
