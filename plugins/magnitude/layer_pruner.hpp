// Prunes one layer: asks for its statistics, chooses what leaves, refits the rest.
#pragma once

#include <adze/adze.hpp>
#include <cstdint>
#include <span>
#include <vector>

#include "plugins/pruning/layer.hpp"
#include "plugins/pruning/mask.hpp"
#include "plugins/pruning/statistics.hpp"

namespace magnitude {

using pruning::Goal;
using pruning::Layer;

struct Options {
  bool by_activation = true, refit = true;
  std::int64_t steps = 1;
  double damping = 1e-3;
  bool sequential = true;
};

class LayerPruner {
 public:
  LayerPruner(adze_call* call, const Layer& layer, const Options& options);

  /// Makes the edits. Errors: adze::Error, adze::HostError.
  void prune(const Goal& goal);

 private:
  void load_statistics();
  std::vector<double> rank() const;
  void fit(const std::vector<std::uint8_t>& keep);
  void set_constant(std::uint32_t value, const std::vector<float>& contents);

  adze_call* call_;
  const Layer& layer_;
  Options options_;
  std::vector<double> weight_, bias_;  ///< as they are now
  std::span<const std::uint8_t> earlier_;
  std::vector<pruning::RefitProblem> problems_;  ///< one a group; empty without statistics
};

}  // namespace magnitude
