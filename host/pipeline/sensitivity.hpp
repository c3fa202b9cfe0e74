// How much each layer would lose at a few levels of sparsity: quick, and nothing is pruned.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "host/calibrate/activations.hpp"
#include "host/dataset/dataset.hpp"
#include "host/graph/graph.hpp"

namespace adze::host {

/// One layer's curve. `problem`: why there is none; empty when there is.
struct Sensitivity {
  std::vector<double> errors;  ///< one a level, a share: 0 nothing is lost, 1 all
  std::string problem;
};

/// Without data: the share of the weights' squares that leaves with the smallest ones.
Sensitivity data_free_sensitivity(const Graph& graph, std::uint32_t node,
                                  std::span<const double> levels);

/// From the statistics of the layer's inputs over some samples.
struct SensitivitySamples {
  const Dataset& samples;
  std::vector<std::int64_t> indices;
  MakeRunner make_runner;
  std::uint32_t threads = 1;
};

/// The share of the layer's output variance that is lost when the weights leave whose magnitude
/// times the deviation of their input is smallest, and only the bias makes up for it. Pruners refit
/// what stays, which loses several times less: the order of the layers is what it tells. One a
/// node. `progress`: share done. Errors: those of calibration.
std::vector<Sensitivity> calibrated_sensitivities(const Graph& graph,
                                                  std::span<const std::uint32_t> nodes,
                                                  std::span<const double> levels,
                                                  const SensitivitySamples& samples,
                                                  const std::function<void(double)>& progress);

}  // namespace adze::host
