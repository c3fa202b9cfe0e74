// Samples made in memory.
#pragma once

#include <vector>

#include "host/base/error.hpp"
#include "host/dataset/dataset.hpp"

namespace adze::host::test {

/// Sample i is [i, -i]; its label, if there are any, is i % 2.
class Numbers : public Dataset {
 public:
  Numbers(std::int64_t size, bool labeled) : size_(size), labeled_(labeled) {}
  std::int64_t size() const override { return size_; }
  bool has_labels() const override { return labeled_; }
  std::int64_t label(std::int64_t index) const override {
    if (!labeled_) throw Error(ADZE_FAILED_PRECONDITION, "no labels");
    return index % 2;
  }
  std::vector<Tensor> batch(std::span<const std::int64_t> indices) const override {
    std::vector<float> elements;
    for (const std::int64_t index : indices) {
      if (index == broken) throw Error(ADZE_DATA_LOSS, "sample is damaged");
      elements.push_back(static_cast<float>(index));
      elements.push_back(-static_cast<float>(index));
    }
    return {Tensor(DType::f32, {static_cast<std::int64_t>(indices.size()), 2},
                   std::span<const float>(elements))};
  }

  std::int64_t broken = -1;

 private:
  std::int64_t size_;
  bool labeled_;
};

}  // namespace adze::host::test
