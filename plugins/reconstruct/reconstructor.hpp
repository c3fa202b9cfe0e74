// The walk over the layers of a model, in the order data reaches them.
#pragma once

#include <adze/adze.hpp>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "plugins/reconstruct/correction.hpp"
#include "plugins/reconstruct/progress.hpp"
#include "plugins/reconstruct/prune_layer.hpp"
#include "plugins/reconstruct/refinement.hpp"
#include "plugins/reconstruct/tuning.hpp"

namespace reconstruct {

struct Options {
  LayerOptions layer;
  bool sequential = true;       ///< fit layers to what the pruned ones before them deliver
  bool tuning = true;           ///< with `sequential`: tune all layers together at the end
  std::int64_t samples = 0;     ///< at most so many of the calibration samples; 0: all
  std::int64_t passes = 0;      ///< over the samples at most; 0: as many as a few minutes allow
  std::filesystem::path masks;  ///< folder of the user's masks; empty: none
};

class Reconstructor {
 public:
  /// `progress` is told what to expect of goals like `asked`.
  Reconstructor(adze_call* call, std::vector<Layer> layers, const Options& options,
                const Goal& asked, Progress& progress);

  /// Makes the edits. `goals`: one a layer. Errors: adze::Error naming the node, adze::HostError.
  void prune(const std::vector<Goal>& goals);

 private:
  struct Split {
    std::uint64_t fitted, held_out;
  };

  Split split_of(const Layer& layer) const;
  void count_samples(const Layer& layer, const Evidence& evidence);
  void warn_of_few_samples() const;
  std::vector<Evidence> collect(const std::vector<std::size_t>& pass);
  Refinable prune_one(std::size_t index, Evidence evidence, const Goal& goal);
  void prune_by_magnitude(std::size_t index, const Goal& goal);
  std::span<const std::uint8_t> earlier_of(const Layer& layer) const;
  std::vector<std::uint8_t> user_mask_of(const Layer& layer) const;
  void write(const Refinable& layer);
  void edit(const Tunable& pruned);
  void find_spared();
  void keep_dense(Tunable& spared) const;
  void set_constant(std::uint32_t value, const std::vector<float>& contents);
  std::string name_of(const Layer& layer) const;
  void log(int level, const std::string& text) const;

  double pass_work(const std::vector<std::size_t>& pass) const;
  double tuning_work() const;
  void tune_all();

  adze_call* call_;
  std::vector<Layer> layers_;
  std::vector<Layer> spared_;  ///< stay dense, and are tuned with the others
  Options options_;
  Goal asked_;
  Progress& progress_;
  ForEach threads_;
  std::uint64_t samples_ = 0;
  std::uint64_t useful_samples_ = 0;  ///< that all layers seen so far would need
  int refinements_ = 0;               ///< steps that a layer may take
  std::string neediest_;              ///< the layer that needs most
  double model_operations_ = 0;       ///< of one sample, in layers with weights
  std::vector<std::vector<std::size_t>> passes_;
  std::vector<Tunable> written_;  ///< by layer, then those spared: what the edits say
};

}  // namespace reconstruct
