// Sequential bias correction: the mean error of each layer's outputs, taken back in its bias.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "plugins/ptq/edited_model.hpp"
#include "plugins/ptq/options.hpp"
#include "plugins/quantization/plan.hpp"

namespace ptq {

class BiasCorrection {
 public:
  /// Measures what the layers of the plan answer on the mean; the model must not be quantized yet.
  BiasCorrection(EditedModel& model, const Plan& plan, const Options& options);

  /// For the quantized model: layer after layer in the order of the data, each on what the
  /// corrected ones before it deliver. Where time would not do for all layers, those that drifted
  /// most. Matching means can do harm (rectifiers behind a changed variance), so `automatic` keeps
  /// the correction of a layer only when the model's outputs come closer on samples held out
  /// (adze.evaluate/1); without such samples it changes nothing. Returns how many layers were
  /// corrected.
  std::size_t run();

 private:
  struct Layer {
    std::uint32_t output = 0, bias = 0;
    double bias_factor = 1;         ///< what a bias of 1 adds to an output
    std::vector<double> reference;  ///< mean of each channel
  };
  struct Drift {
    std::vector<double> shift;  ///< of each channel's mean
    double share = 0;           ///< of the variance
  };

  std::vector<Drift> drifts(std::span<const std::size_t> layers) const;
  std::vector<std::size_t> worst_layers() const;
  double score() const;

  EditedModel& model_;
  const Options& options_;
  std::vector<Layer> layers_;  ///< in the order of the data
  std::uint64_t fitted_ = 0;   ///< samples
  std::uint32_t judged_ = 0;   ///< samples of adze.evaluate/1; 0: there are none
  std::size_t most_layers_ = 0;
};

}  // namespace ptq
