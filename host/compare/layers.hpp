// Two runners layer by layer: which intermediate values both have, and where they part.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "host/compare/compare.hpp"

namespace adze::host {

/// A value that a node computes, and that both models have.
struct Layer {
  std::string value, node, op;
  std::optional<Shape> shape;  ///< of one sample
  std::optional<Quant> quant;  ///< the reference's, or else the other one's
};

/// A computed value that cannot be compared.
struct Unobserved {
  std::string value, node, op, reason;
};

/// What two graphs have in common, by the names of values, in the order of the reference.
struct LayerMatch {
  std::vector<Layer> layers;
  std::vector<Unobserved> unobserved;
  bool quantized = false;  ///< some layer is

  std::vector<std::string> names() const;
  /// Moves a layer to the unobserved ones; nothing happens when there is none of that name.
  void leave_out(const std::string& value, const std::string& reason);
};
LayerMatch match_layers(const Graph& a, const Graph& b);

/// Where a difference counts as parting. Quantized layers are judged by steps and by share, others
/// part when they are beyond both max_rel and max_abs.
struct LayerLimits {
  double max_rel = kFloatMaxRel;
  /// Approximations such as that of Sigmoid have an absolute error, which is a large share of a
  /// layer that holds small numbers only.
  double max_abs = 1e-6;
  double max_steps = 1;
  double differing_share = 1e-3;  ///< of elements that are a step apart or more

  static constexpr double kFloatMaxRel = 1e-4;
  /// Of floats computed from quantized values, which a single step moves.
  static constexpr double kQuantizedMaxRel = 1e-2;
};
bool is_within(const OutputComparison& figures, const LayerLimits& limits);

struct LayerResult {
  Layer layer;
  OutputComparison figures;
  bool within = true;
};

struct LayerComparison {
  std::vector<LayerResult> layers;  ///< in the order data travels
  std::vector<Unobserved> unobserved;
  LayerLimits limits;

  /// nullptr: the runners do not part.
  const LayerResult* first_parting() const;
  /// Which layers to show when `most` are too few for all: those around the first parting one, or
  /// the most different ones. Ascending.
  std::vector<std::size_t> worth_showing(std::size_t most) const;
};

/// `results`: of all layers of `match` that were compared, in any order.
LayerComparison judge_layers(const LayerMatch& match, const std::vector<OutputComparison>& results,
                             const LayerLimits& limits);

}  // namespace adze::host
