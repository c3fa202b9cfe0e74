// Some samples of a dataset, as a dataset.
#pragma once

#include <utility>
#include <vector>

#include "host/dataset/dataset.hpp"

namespace adze::host {

class Subset : public Dataset {
 public:
  /// Sample i is sample `indices[i]` of `all`, which must outlive this.
  Subset(const Dataset& all, std::vector<std::int64_t> indices)
      : all_(all), indices_(std::move(indices)) {}
  std::int64_t size() const override { return static_cast<std::int64_t>(indices_.size()); }
  bool has_labels() const override { return all_.has_labels(); }
  std::int64_t label(std::int64_t index) const override { return all_.label(of(index)); }
  std::vector<Tensor> batch(std::span<const std::int64_t> indices) const override {
    std::vector<std::int64_t> chosen;
    for (const std::int64_t index : indices) chosen.push_back(of(index));
    return all_.batch(chosen);
  }

 private:
  std::int64_t of(std::int64_t index) const { return indices_.at(static_cast<std::size_t>(index)); }

  const Dataset& all_;
  std::vector<std::int64_t> indices_;
};

}  // namespace adze::host
