// The model as it is emulated: with the scales that the board computes with.
#pragma once

#include "plugins/drpai_tvm/scales.hpp"
#include "plugins/drpai_tvm/settings.hpp"

namespace adze::drpai_tvm {

/// What decides how a model can be handed to the toolchain.
struct ModelFacts {
  bool quantized = false;      ///< some value has scales
  double weight_sparsity = 0;  ///< zeros among the weights of Conv, Gemm and MatMul, 0..1
  std::size_t weights = 0;     ///< constants of these nodes
};
ModelFacts facts_of(const adze_graph& graph);

/// Whose scales the board will use. Errors: FAILED_PRECONDITION with what to do, when the toolchain
/// does not take such a model.
Scales choose_scales(const Settings& settings, const ModelFacts& facts);

/// A graph that shows other scales than the host's does; the rest is the host's.
class GraphWithScales {
 public:
  GraphWithScales(const adze_graph& graph, const ValueScales& scales);
  GraphWithScales(const GraphWithScales&) = delete;
  GraphWithScales& operator=(const GraphWithScales&) = delete;
  const adze_graph* get() const { return &graph_; }
  std::size_t weights() const { return weights_; }  ///< weights that have scales now
  std::size_t activations() const { return activations_; }

 private:
  std::vector<adze_value> values_;
  std::vector<adze_quant> quants_;
  std::vector<const adze_value*> pointers_;
  adze_graph graph_;
  std::size_t weights_ = 0, activations_ = 0;
};

}  // namespace adze::drpai_tvm
