#include "host/pipeline/sample_sets.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "host/base/error.hpp"
#include "host/dataset/subset.hpp"

namespace adze::host {

SampleSets::SampleSets(const Recipe& recipe, const std::vector<InputSpec>& inputs) {
  if (recipe.calibration) {
    calibration_ = open_dataset(recipe.calibration->data, inputs);
    split_calibration(recipe);
  }
  if (recipe.train) train_ = open_dataset(recipe.train->data, inputs);
  if (training()) split_training(recipe);
}

void SampleSets::split_calibration(const Recipe& recipe) {
  const CalibrationSpec& spec = *recipe.calibration;
  const std::int64_t size = calibration_->size();
  if (spec.count > size && !spec.count_where.empty())
    throw Error(ADZE_INVALID_ARGUMENT,
                fmt::format("{}: 'calibration.count' is {}, but '{}' has only {} samples",
                            spec.count_where, spec.count, spec.data.images.string(), size));
  std::int64_t count = std::min(spec.count, size);
  std::vector<std::int64_t> picked = sample_indices(size, 2 * count, spec.seed);
  const auto left = static_cast<std::int64_t>(picked.size()) - count;
  if (4 * left < count && size > 1) count = size - std::max<std::int64_t>(size / 5, 1);
  collected_.assign(picked.begin(), picked.begin() + count);
  held_out_indices_.assign(picked.begin() + count, picked.end());
  if (held_out_indices_.empty()) return;
  held_out_ = std::make_unique<Subset>(*calibration_, held_out_indices_);
  if (calibration_->has_labels() && recipe.data.metric != "output_error")
    metric_ = recipe.data.metric.empty() ? "top1" : recipe.data.metric;
}

void SampleSets::split_training(const Recipe& recipe) {
  if (!train_) {
    training_indices_ = collected_;
    training_held_out_ = held_out_indices_;
    return;
  }
  augmentation_ = recipe.train->augmentation;
  const std::uint64_t seed = recipe.calibration ? recipe.calibration->seed : recipe.seed;
  std::set<std::int64_t> hidden;
  if (recipe.calibration && recipe.train->data.images == recipe.calibration->data.images)
    hidden.insert(held_out_indices_.begin(), held_out_indices_.end());
  std::vector<std::int64_t> all = sample_indices(train_->size(), train_->size(), seed);
  std::erase_if(all, [&](std::int64_t index) { return hidden.contains(index); });
  if (const std::optional<std::int64_t> count = recipe.train->count) {
    if (*count > static_cast<std::int64_t>(all.size()))
      throw Error(ADZE_INVALID_ARGUMENT,
                  fmt::format("{}: 'train.count' is {}, but '{}' has only {} samples{}",
                              recipe.train->count_where, *count, recipe.train->data.images.string(),
                              all.size(),
                              hidden.empty() ? "" : " besides those that [calibration] holds out"));
    all.resize(static_cast<std::size_t>(*count));
  }
  const auto cut = all.end() - static_cast<std::ptrdiff_t>(all.size() / 10);
  training_indices_.assign(all.begin(), cut);
  training_held_out_.assign(cut, all.end());
}

}  // namespace adze::host
