// Which values of a graph are quantized, and how.
#pragma once

#include <adze/adze.hpp>
#include <cstdint>
#include <utility>
#include <vector>

namespace ptq {

struct WeightPlan {
  std::uint32_t node = 0, weight = 0;
  std::uint32_t input = ADZE_NONE;  ///< the activation it is multiplied with
  std::uint32_t bias = ADZE_NONE;
  std::int32_t axis = 0;  ///< of the output channels
};

struct Plan {
  std::vector<std::uint32_t> measured;   ///< activations that get a grid of their own
  std::vector<std::uint32_t> constants;  ///< constants that are not weights, as in Add
  /// {value, other value}: the first is a rearrangement of the second and has its grid; in
  /// topological order.
  std::vector<std::pair<std::uint32_t, std::uint32_t>> shared;
  std::vector<WeightPlan> weights;
  /// For boards that ask for it: what an Add reads, and what a Concat reads and writes, as far as
  /// it has a grid. Each list has two of `measured` and `constants` or more, none is in two.
  std::vector<std::vector<std::uint32_t>> same_scale;
};

/// Looks at the target nodes of the graph but for those in `left_float` and `decoding` (by node;
/// empty: none), which stay float.
///  * Inputs and outputs of nodes that compute in integers get a grid; other operators stay float.
///  * A Conv, Gemm, MatMul or Add and the Relu or Clip that is the only reader of its result run as
///    one: nothing is rounded between them.
///  * Operators that only move numbers (Flatten, MaxPool, ...) pass their input's grid on.
///  * The model's outputs stay float unless quantized nodes read them too: the last layer then
///    hands out its exact integer sum times a float scale. Backends and ONNX Runtime (QGemm with a
///    float output) do the same there, while one more rounding of the logits would make ties
///    between classes. So do results that only nodes in `decoding` read.
Plan make_plan(const adze_graph& graph, const std::vector<bool>& left_float = {},
               const std::vector<bool>& decoding = {});

}  // namespace ptq
