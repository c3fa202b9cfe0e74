// The passes that run on every model after loading, each in its own file.
#pragma once

#include "host/graph/graph.hpp"

namespace adze::host {

/// Identity, and Dropout in inference, leave; results keep the names of model outputs.
void remove_identities(Graph& graph);
/// Nodes with constant inputs only are computed (shape arithmetic, ConstantOfShape, Cast,
/// Transpose, Reshape, ... of constants); ConstantOfShape stays lazily uniform.
void fold_constants(Graph& graph);
/// BatchNormalization behind Conv (or Gemm) joins its weight and bias; a lone one stays.
void fold_batch_norms(Graph& graph);
/// All of them until nothing changes, then relink().
void simplify(Graph& graph);

}  // namespace adze::host
