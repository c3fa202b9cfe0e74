// The task metric of a runner on a dataset.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "host/dataset/dataset.hpp"
#include "host/evaluate/runner.hpp"

namespace adze::host {

struct Evaluation {
  std::string metric;  ///< top1 | top5 | output_error
  double value = 0;    ///< top-k: share 0..1; output_error: relative L2 error against `reference`
  std::int64_t samples = 0;
  double seconds = 0;
  std::vector<std::int64_t>
      predictions;  ///< argmax of the first output, a sample each (top-k only)
};

/// How many classes score better than the label; ties go to the lowest index.
std::int64_t rank_of(std::span<const float> scores, std::size_t label);

/// Higher is better for top1 and top5, lower for output_error.
bool higher_is_better(const std::string& metric);
/// What `metric` of the data says, or the default: top1 with labels, output_error without.
std::string metric_of(const DataSpec& spec, const Dataset& dataset);

/// Runs samples [0, limit) (0: all) in batches. `reference` is needed by output_error only. Errors:
/// DATA_LOSS for NaN or infinity in an output, INVALID_ARGUMENT for an unknown metric, labels out
/// of range, or metric without what it needs.
Evaluation evaluate(Runner& runner, const Dataset& dataset, const std::string& metric,
                    std::int64_t limit = 0, Runner* reference = nullptr, std::int64_t batch = 64,
                    const std::function<void(double fraction)>& progress = {});

}  // namespace adze::host
