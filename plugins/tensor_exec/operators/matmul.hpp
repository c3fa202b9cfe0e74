// Products of two computed matrices, or stacks of them, in floats.
#pragma once

#include "plugins/tensor_exec/operator.hpp"

namespace adze::exec {

struct MatMulProblem {
  /// Stacks with the same number of axes; an axis of 1 is repeated as in the other stack.
  struct Operand {
    Shape shape, strides;
  };
  Operand a, b;
  Shape result;  ///< row-major
  float alpha = 1, beta = 1;
  /// Element of the third input to add, times beta, for each element of the result; empty: nothing.
  std::vector<std::int64_t> addend;
  Clamp clamp;
};

/// Both operands of a product with the same number of axes, at least two, and the result in the
/// same way.
struct MatrixStacks {
  Shape a, b, result;
};

/// Of the inputs with these numbers. Errors: Site::malformed(), also when the node's output has
/// another shape.
MatrixStacks matrix_stacks(const Site& site, std::size_t left, std::size_t right);

/// Errors: UNIMPLEMENTED.
std::unique_ptr<Kernel> make_matmul(MatMulProblem problem);

}  // namespace adze::exec
