// Shape inference, node by node, for one fixed size of the batch.
#pragma once

#include <onnx/onnx_pb.h>

#include <optional>
#include <string>
#include <unordered_map>

#include "host/graph/graph.hpp"

namespace adze::host {

struct TypedShape {
  std::int32_t onnx_type = 0;  ///< 0: not known
  std::optional<Shape> shape;  ///< -1: not known
};
using TypedShapes = std::unordered_map<std::string, TypedShape>;

bool is_concrete(const std::optional<Shape>& shape);
TypedShape typed_shape(const onnx::TypeProto& type);

/// What nodes make that read constants only, by node: the same whatever the batch is.
using ComputedOfConstants = std::vector<std::optional<std::vector<Tensor>>>;

/// Types and shapes of all values of `model`, whose nodes are those of `graph` in the same,
/// topological order. Each node goes through libonnx's own inference function; the loop around them
/// is ours, because libonnx reads past the end of shapes it did not expect, and because shape
/// arithmetic that it does not follow is computed here on the way. Errors: INVALID_ARGUMENT naming
/// the node whose inputs do not fit.
/// What is found of `of_constants` is not computed again, what is not is added.
TypedShapes infer_nodes(const Graph& graph, onnx::ModelProto& model,
                        ComputedOfConstants& of_constants);

/// What libonnx's inference function of this node takes for granted. Errors: INVALID_ARGUMENT
/// naming the node.
void check_before_inference(const Graph& graph, const Node& node, const TypedShapes& shapes);

}  // namespace adze::host
