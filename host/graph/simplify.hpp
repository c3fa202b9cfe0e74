// The passes that run on every model after loading, each in its own file.
#pragma once

#include "host/graph/graph.hpp"

namespace adze::host {

/// Identity, and Dropout in inference, leave; results keep the names of model outputs. One that
/// separates a quantized value from an unquantized one stays.
void remove_identities(Graph& graph);
/// Nodes with constant inputs only are computed (shape arithmetic, ConstantOfShape, Cast,
/// Transpose, Reshape, ... of constants); ConstantOfShape stays lazily uniform. Shape arithmetic
/// that depends on the batch becomes a Reshape, Expand or Flatten that works for every batch.
void fold_constants(Graph& graph);
/// BatchNormalization behind Conv, ConvTranspose or Gemm joins its weight and bias; a lone one
/// stays.
void fold_batch_norms(Graph& graph);
/// Conv, ConvTranspose and Gemm get a bias (zeros) where they have none; weights and biases that
/// several nodes share are copied, so that every node owns its constants.
void own_constants(Graph& graph);
/// All of them until nothing changes, then relink().
void simplify(Graph& graph);

}  // namespace adze::host
