// Which samples of the recipe each service of a stage may look at.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "host/dataset/dataset.hpp"
#include "host/pipeline/recipe.hpp"

namespace adze::host {

/// Never those of [data]. Everything follows from the files and the seed of [calibration].
class SampleSets {
 public:
  /// Opens [calibration] and [train] where the recipe has them. Errors: INVALID_ARGUMENT, with the
  /// place in the recipe, for a `count` that is larger than what there is; those of open_dataset().
  SampleSets(const Recipe& recipe, const std::vector<InputSpec>& inputs);

  /// nullptr without [calibration].
  const Dataset* calibration() const { return calibration_.get(); }
  /// What adze.calibration/1 collects over: `count` samples picked by the seed.
  const std::vector<std::int64_t>& collected() const { return collected_; }
  /// What adze.evaluate/1 scores on: as many again that come next by the seed. Where the set ends
  /// before a quarter of `count` is reached, the last fifth of all its samples, which are then not
  /// collected over.
  const Dataset* held_out() const { return held_out_.get(); }
  /// The task metric that can be had on them; "" for none.
  const std::string& metric() const { return metric_; }

  /// What adze.dataset/1 serves: `count` samples of [train] picked and split by the seed into nine
  /// tenths and one that is held out, or else the samples collected over and those held out.
  /// Samples of held_out() are never trained on, also when [train] has the same files. nullptr
  /// without either table.
  const Dataset* training() const { return train_ ? train_.get() : calibration_.get(); }
  /// What becomes of them; those of [calibration] stay.
  const Augmentation& augmentation() const { return augmentation_; }
  const std::vector<std::int64_t>& training_indices() const { return training_indices_; }
  const std::vector<std::int64_t>& training_held_out() const { return training_held_out_; }

 private:
  void split_calibration(const Recipe& recipe);
  void split_training(const Recipe& recipe);

  std::unique_ptr<Dataset> calibration_, train_, held_out_;
  std::vector<std::int64_t> collected_, held_out_indices_, training_indices_, training_held_out_;
  std::string metric_;
  Augmentation augmentation_;
};

}  // namespace adze::host
