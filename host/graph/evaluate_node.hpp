// What a node computes when all its inputs are known beforehand: shape arithmetic and weights.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "host/graph/graph.hpp"

namespace adze::host {

/// One pointer per input; nullptr: left out.
using KnownInputs = std::span<const Tensor* const>;

/// The outputs of `node`, or nullopt when the operator is not one of those that exported models
/// use on constants, when the inputs do not fit it, or when the result would be large without
/// being uniform. Constants made by ConstantOfShape stay uniform through operators that only move
/// elements.
std::optional<std::vector<Tensor>> evaluate_node(const Node& node, KnownInputs inputs);

/// Operators that move elements without changing them (evaluate_movement.cpp).
std::optional<std::vector<Tensor>> evaluate_movement(const Node& node, KnownInputs inputs);
/// Operators that compute with elements (evaluate_arithmetic.cpp).
std::optional<std::vector<Tensor>> evaluate_arithmetic(const Node& node, KnownInputs inputs);

/// A result above this is not worth the memory, unless it is uniform or no larger than its inputs.
inline constexpr std::size_t kFoldLimitBytes = std::size_t{16} << 20;
/// Above this a claimed shape is refused rather than mapped.
inline constexpr std::size_t kUniformLimitBytes = std::size_t{2} << 30;

/// No outputs when the only one is not known.
std::optional<std::vector<Tensor>> one(std::optional<Tensor> tensor);
/// Elements of an integer tensor (shapes, axes, indices); nullopt for other element types.
std::optional<std::vector<std::int64_t>> integers(const Tensor& tensor);
/// A one-dimensional i64 tensor.
Tensor vector_tensor(const std::vector<std::int64_t>& elements);
/// The shape two shapes broadcast to; nullopt when they do not.
std::optional<Shape> broadcast(const Shape& a, const Shape& b);
/// Bytes of such a tensor; nullopt when it has none or overflows.
std::optional<std::size_t> tensor_bytes(DType dtype, const Shape& shape);
/// Element 0 as double; nullopt when there is none or a double cannot hold it.
std::optional<double> first_element(const Tensor& tensor);
/// The same, of uniform tensors only.
std::optional<double> uniform_value(const Tensor& tensor);
/// `shape` filled with the one value of uniform `tensor`; nullopt when too large.
std::optional<Tensor> uniform_like(const Tensor& tensor, Shape shape);

}  // namespace adze::host
