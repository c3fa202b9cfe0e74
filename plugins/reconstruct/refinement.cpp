#include "plugins/reconstruct/refinement.hpp"

#include <adze/ext/calibration.h>

#include <algorithm>
#include <limits>

#include "plugins/pruning/statistics.hpp"
#include "plugins/reconstruct/block.hpp"

namespace reconstruct {
namespace {

constexpr double kDamping = 1e-2;
/// Steps twice as long still come down; the held-out samples judge them all the same.
constexpr double kStep = 1.5;
constexpr int kSearches = 3;  ///< steps that search the mask, too
/// A step that lowers the error by less is the last one.
constexpr double kWorthwhile = 0.995;
/// Of the values that are compared at once.
constexpr double kMostComparedBytes = 2e8;

struct Refined {
  Refinable* layer = nullptr;
  std::uint32_t activation = ADZE_NONE;
  double best = std::numeric_limits<double>::infinity();
  RowMatrix best_weights;
  std::vector<std::uint8_t> best_keep;
};

double bytes_of(const adze_graph& graph, std::uint32_t value, std::uint64_t samples) {
  const adze_value& shown = *graph.values[value];
  double bytes = 4 * static_cast<double>(samples);
  for (std::int32_t axis = 0; axis < shown.rank; ++axis)
    bytes *= static_cast<double>(std::max<std::int64_t>(shown.shape[axis], 1));
  return bytes;
}

/// sum |f(y) - f(z)|^2 of each layer on its samples held out.
std::vector<double> errors_of(adze_call* call, std::span<const Refined> states) {
  const auto& calibration = adze::need<adze_calibration>(call, ADZE_CALIBRATION);
  std::vector<double> errors;
  for (const Refined& state : states) {
    adze_stat_request requests[2];
    for (const std::uint32_t edited : {ADZE_STATE_SHOWN, ADZE_STATE_EDITED})
      requests[edited] = {.struct_size = sizeof(adze_stat_request),
                          .kind = ADZE_STAT_SAMPLES,
                          .node = ADZE_NONE,
                          .value = state.activation,
                          .state = edited,
                          .value_state = 0,
                          .first = state.layer->fitted,
                          .count = state.layer->held_out,
                          .bins = 0};
    const adze_stat* stats[2] = {};
    adze::check(calibration.collect(call, requests, 2, stats));
    const auto before = adze::f32(&stats[0]->data), now = adze::f32(&stats[1]->data);
    double error = 0;
    for (std::size_t i = 0; i < before.size(); ++i) {
      const double difference = static_cast<double>(before[i]) - static_cast<double>(now[i]);
      error += difference * difference;
    }
    errors.push_back(error);
    for (const adze_stat* stat : stats) calibration.release(call, stat);
  }
  return errors;
}

/// The matching loss of f is convex in the weights, its gradient is the cross moment of f(z) - f(y)
/// with the inputs, and its curvature at most that of the layer itself: so the layer's own normal
/// equations give a step that cannot overshoot.
/// `searches`: the sparse solution that comes closest to where the step leads, on any mask.
void step(adze_call* call, std::span<Refined> states, bool searches, const LayerOptions& options,
          const ForEach& for_each) {
  std::vector<pruning::MomentsRequest> requests;
  for (const Refined& state : states) {
    pruning::MomentsRequest request;
    request.layer = state.layer->layer;
    request.state = ADZE_STATE_EDITED;
    request.answers = {{.value = state.activation},
                       {.value = state.activation, .state = ADZE_STATE_EDITED, .factor = -1}};
    request.count = state.layer->fitted;
    request.gram = false;
    requests.push_back(request);
  }
  const std::vector<pruning::Moments> moments = pruning::collect_moments(call, requests);
  for (std::size_t i = 0; i < states.size(); ++i) {
    Refinable& layer = *states[i].layer;
    const bool searches_layer = searches && layer.may_search;
    Eigen::Index first = 0;
    for (std::size_t group = 0; group < layer.problems.size(); ++group) {
      RefitProblem& problem = layer.problems[group];
      problem.answers = moments[i].groups[group].answers;
      problem.dense.setZero();
      if (searches_layer) {
        const pruning::OneBlasThread one;
        problem.dense = layer.weights.middleRows(first, problem.dense.rows());
        problem.answers += problem.dense * problem.gram;
      }
      first += problem.dense.rows();
    }
    if (searches_layer) {
      PrunedLayer found = prune_layer(*layer.layer, layer.problems, layer.goal, layer.earlier, {},
                                      options, for_each);
      layer.weights = std::move(found.weights);
      layer.keep = std::move(found.keep);
    } else {
      layer.weights += kStep * refit_mask(layer.problems, layer.keep, kDamping, for_each);
    }
  }
}

}  // namespace

void refine(adze_call* call, std::span<Refinable> layers, int steps, const LayerOptions& options,
            const Write& write, const ForEach& for_each) {
  std::vector<Refined> states;
  for (Refinable& layer : layers) {
    const BlockOutput output = block_output_of(*call->graph, layer.layer->node);
    const std::uint32_t activation = activation_of(*call->graph, output.value);
    if (activation == ADZE_NONE || layer.held_out == 0 || layer.layer->has_other_bias ||
        2 * bytes_of(*call->graph, activation, layer.held_out) > kMostComparedBytes)
      continue;
    states.push_back({&layer, activation, std::numeric_limits<double>::infinity(), {}, {}});
  }
  for (int number = 0; !states.empty(); ++number) {
    const std::vector<double> errors = errors_of(call, states);
    std::vector<Refined> going_on;
    for (std::size_t i = 0; i < states.size(); ++i) {
      Refined& state = states[i];
      // A search may come out worse than what it started from; steps on the mask go on from there.
      const bool goes_on =
          (errors[i] < kWorthwhile * state.best || number <= kSearches) && number < steps;
      if (errors[i] < state.best) {
        state.best = errors[i];
        state.best_weights = state.layer->weights;
        state.best_keep = state.layer->keep;
      } else {
        state.layer->weights = state.best_weights;
        state.layer->keep = state.best_keep;
        write(*state.layer);
      }
      if (goes_on) going_on.push_back(std::move(state));
    }
    states = std::move(going_on);
    if (states.empty()) break;
    step(call, states, number < kSearches, options, for_each);
    for (const Refined& state : states) write(*state.layer);
  }
}

}  // namespace reconstruct
