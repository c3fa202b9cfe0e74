// Whether a calibration set can tell what values a model will meet.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "host/dataset/dataset.hpp"
#include "host/graph/graph.hpp"

namespace adze::host {

/// What one input sees of a set of samples.
struct InputSummary {
  std::vector<double> mean, std;  ///< by channel (axis 1), or of all; std within that channel
  double low = 0, high = 0;
  /// Of neighbours along the last axis, -1..1: near 0 in noise, high in pictures. nullopt: the
  /// input is no picture, or does not vary.
  std::optional<double> neighbour_correlation;
  bool all_samples_equal = false;
};

struct CalibrationCheck {
  std::int64_t samples = 0;
  std::optional<std::int64_t> classes;  ///< of a model whose first output is a row of scores
  std::int64_t advised_samples = 0;
  std::vector<std::string> warnings;
};

/// Samples that the vendor's guides ask for: one a class for 1000 classes and more, two for 100 and
/// more, 20 for 10 and fewer, 5 in between, and at least 20; 100 where classes are not known.
std::int64_t advised_samples(std::optional<std::int64_t> classes);

InputSummary summarize(const Dataset& samples, std::span<const std::int64_t> indices,
                       std::size_t input);

/// Looks at up to 256 of the samples collected over, and of the evaluation set, whose figures are
/// compared and then forgotten: nothing is chosen by them. Warns of too few samples or classes,
/// constant or random data, and of a distribution unlike that of `evaluation`.
CalibrationCheck check_calibration(const Graph& graph, const Dataset& calibration,
                                   std::span<const std::int64_t> collected,
                                   const Dataset& evaluation);

}  // namespace adze::host
