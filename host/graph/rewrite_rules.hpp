// What one rewrite consists of, and what they share; rewrite.hpp is for everyone else.
#pragma once

#include <functional>
#include <span>
#include <utility>

#include "host/graph/edit_graph.hpp"
#include "host/graph/rewrite.hpp"

namespace adze::host {

/// Makes the nodes that stand for `node`, which leaves afterwards. They have names made of its own.
class Rewriting {
 public:
  using WeightAt = std::function<void(std::span<float>)>;

  Rewriting(Graph& changed, const Node& replaced, Weights how);

  const Value& input(std::size_t index) const;
  std::uint32_t constant(const char* role, Tensor contents);
  /// A value between two of the new nodes.
  std::uint32_t result(Shape shape);
  Node& add(const char* op, std::uint32_t version, std::vector<std::uint32_t> inputs,
            std::uint32_t output);
  /// `weight_at` fills zeros; `nonzero`: the share it fills.
  Node& convolution(std::uint32_t from, std::uint32_t to, const Shape& shape,
                    const WeightAt& weight_at, double nonzero, std::span<const float> bias);

  Graph& graph;
  const Node node;
  const Weights weights;
  std::vector<MadeLayer> made;

 private:
  FreshNames names_;
  bool first_ = true;
};

struct RewriteRule {
  const char* kind;
  /// Empty: does not hold for the node.
  std::string (*text)(const Graph& graph, const Node& node);
  void (*make)(Rewriting& rewriting);
};

// rewrite_convolutions.cpp: convolutions of a form that is not taken.
std::string dense_text(const Graph& graph, const Node& node);
void make_dense(Rewriting& rewriting);
std::string square_text(const Graph& graph, const Node& node);
void make_square(Rewriting& rewriting);
std::string two_dimensional_text(const Graph& graph, const Node& node);
void make_two_dimensional(Rewriting& rewriting);

// rewrite_to_convolutions.cpp: other operators as convolutions.
std::string scaling_text(const Graph& graph, const Node& node);
void make_scaling(Rewriting& rewriting);
std::string choosing_text(const Graph& graph, const Node& node);
void make_choosing(Rewriting& rewriting);
std::string clipped_line_text(const Graph& graph, const Node& node);
void make_clipped_line(Rewriting& rewriting);
std::string averaging_text(const Graph& graph, const Node& node);
void make_averaging(Rewriting& rewriting);
std::string multiplication_text(const Graph& graph, const Node& node);
void make_multiplication(Rewriting& rewriting);

/// The constant at an input; nullptr when there is none of this type.
const Tensor* constant_at(const Graph& graph, const Node& node, std::size_t input, DType dtype);
/// Sizes of an input or output with four axes, all known; empty otherwise.
Shape image_shape(const Graph& graph, std::uint32_t value);

}  // namespace adze::host
