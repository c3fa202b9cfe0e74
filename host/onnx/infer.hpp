// Types and shapes of all values, and which axis of them is the batch.
#pragma once

#include <onnx/onnx_pb.h>

#include "host/graph/graph.hpp"
#include "host/onnx/model.hpp"

namespace adze::host {

/// Fills dtype, shape and batch_axis of all values of `graph`, whose nodes are those of `model` in
/// the same order, and `symbols`. A symbolic or unknown first dimension of the inputs is the batch;
/// so is a first dimension of one everywhere when the model infers for other sizes as well. Errors:
/// INVALID_ARGUMENT naming the node whose inputs do not fit, or the input whose size is not known.
void infer_shapes(Graph& graph, const onnx::ModelProto& model, const LoadOptions& options);

/// What libonnx does not check: weights against input channels. Errors: INVALID_ARGUMENT naming
/// the node.
void check_shapes(const Graph& graph);

}  // namespace adze::host
