// Accuracy-aware fallback: the layers whose quantization costs most go back to floating point, as
// few as will do.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "host/graph/graph.hpp"
#include "host/pipeline/drop_estimate.hpp"

namespace adze::host {

/// Grids that can only be given up together: those of all activations that one operator reads, of
/// what only moves them, and of the weights that these operators read.
struct QuantizerGroup {
  std::vector<std::uint32_t> values;     ///< activations, ascending
  std::vector<std::uint32_t> constants;  ///< weights and others, ascending
  std::vector<std::uint32_t> nodes;      ///< that read them and compute, ascending
};
std::vector<QuantizerGroup> quantizer_groups(const Graph& quantized);

/// `after` is `before` with each element moved by a step of the grid at most.
bool was_only_rounded(const Tensor& before, const Tensor& after, const Quant& quant);

/// `quantized` without the grids of `group`. A constant that the quantizer had only moved onto its
/// grid (by less than a step everywhere) gets the elements it has in `before` back, and so does the
/// bias that was corrected for it.
Graph without_grids(const Graph& quantized, const QuantizerGroup& group, const Graph& before);

struct FloatGroup {
  std::vector<std::string> nodes;
  double recovered = 0;  ///< output error (a share) that goes when this group alone is float
  double mac_share = 0;  ///< of the model's
  double added_ms = 0;   ///< predicted, for this group alone
  bool reverted = false;
  std::string reason;     ///< why not
  DropEstimate estimate;  ///< of the model once this group was reverted too; when it was
};

struct FallbackResult {
  std::vector<FloatGroup> groups;  ///< by recovered error, the largest first
  Graph graph;
  DropEstimate estimate;
  double predicted_ms = 0;
  std::vector<std::string> values;  ///< whose grids were given up
  bool within = false;
};

/// What the fallback asks of its surroundings.
struct FallbackTools {
  std::function<DropEstimate(const Graph&)> estimate;
  std::function<double(const Graph&)> output_error;  ///< on few samples: it ranks
  std::function<double(const Graph&)> predict_ms;
  std::function<void(double fraction, const std::string& doing)> progress;  ///< may be empty
};

/// Ranks the groups by what each recovers alone, then reverts them in this order until the
/// estimated drop is at most `max_drop`. Groups that recover nothing stay, and so do those with
/// which more than `max_float` of the MACs (a share) would have gone back to floating point. When
/// that is not enough, the last model is returned: the caller compares it with others.
FallbackResult fall_back(const Graph& quantized, const DropEstimate& estimate, const Graph& before,
                         double max_drop, double max_float, const FallbackTools& tools);

}  // namespace adze::host
