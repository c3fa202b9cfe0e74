// The least-squares problem of a layer, from the calibration samples.
#pragma once

#include <adze/ext/calibration.h>

#include <adze/adze.hpp>
#include <cstdint>
#include <span>
#include <vector>

#include "plugins/pruning/layer.hpp"
#include "plugins/pruning/refit.hpp"

namespace pruning {

/// One addend of what a layer should answer: a value with the layer's output positions.
struct Answer {
  std::uint32_t value = 0, state = ADZE_STATE_SHOWN;
  double factor = 1;
};

struct MomentsRequest {
  const Layer* layer = nullptr;
  std::uint32_t state = ADZE_STATE_SHOWN;  ///< of the inputs
  /// Their sum is what the layer should answer; empty: what its weights as shown answer.
  std::vector<Answer> answers;
  std::uint64_t first = 0, count = 0;  ///< samples; count 0: to the end
  bool gram = true;                    ///< false: only `answers`, which there must be
};

struct Moments {
  std::vector<RefitProblem> groups;  ///< one a group of the layer; without damping
  std::uint64_t terms = 0;           ///< columns of the unfolded input
};

/// One answer a request, all from one pass over the samples where their memory allows it.
/// Errors: those of the host, such as NaN in an activation.
std::vector<Moments> collect_moments(adze_call* call, std::span<const MomentsRequest> requests);

/// The weights of a layer as shown, in memory order. Errors: adze::Error FAILED_PRECONDITION for
/// NaN or infinity.
std::vector<double> weights_of(const adze_graph& graph, const Layer& layer);
/// Its bias, which it must have.
std::vector<double> bias_of(const adze_graph& graph, const Layer& layer);

}  // namespace pruning
