#include "plugins/magnitude/layer_pruner.hpp"

#include <algorithm>
#include <cmath>
#include <string>

namespace magnitude {
namespace {

/// The goal after `step` of `steps`: what stays shrinks by the same factor each time.
Goal goal_of_step(const Goal& goal, std::int64_t step, std::int64_t steps) {
  if (step == steps) return goal;
  Goal part = goal;
  const double left =
      std::pow(1 - goal.sparsity, static_cast<double>(step) / static_cast<double>(steps));
  part.sparsity = 1 - left;
  if (goal.group > 0)
    part.kept = std::max(
        goal.kept, static_cast<std::int64_t>(std::llround(left * static_cast<double>(goal.group))));
  return part;
}

std::vector<double> to_f64(std::span<const float> elements) {
  return {elements.begin(), elements.end()};
}

const double* elements_of(const adze_stat& stat) {
  return static_cast<const double*>(stat.data.data) + stat.data.byte_offset / sizeof(double);
}

}  // namespace

LayerPruner::LayerPruner(adze_call* call, const Layer& layer, const Options& options)
    : call_(call), layer_(layer), options_(options) {
  const adze_value& weight = *call->graph->values[layer.weight];
  weight_ = to_f64(adze::f32(weight.constant));
  if (!std::all_of(weight_.begin(), weight_.end(), [](double x) { return std::isfinite(x); }))
    throw adze::Error(ADZE_FAILED_PRECONDITION,
                      "its weights hold NaN or infinity: the model is broken");
  if (weight.keep) earlier_ = {weight.keep, weight_.size()};
  if (layer.bias != ADZE_NONE) bias_ = to_f64(adze::f32(call->graph->values[layer.bias]->constant));
  if (weight.consumer_count > 1 && (options_.by_activation || options_.refit)) {
    const std::string text = std::string("node '") + call->graph->nodes[layer.node]->name +
                             "' shares its weight with another node: pruned by magnitude alone";
    call->host->log(call, ADZE_LOG_WARNING, text.c_str());
    options_.by_activation = options_.refit = false;
  }
}

void LayerPruner::prune(const Goal& goal) {
  if (options_.by_activation || options_.refit) load_statistics();
  const std::int64_t steps = options_.refit ? options_.steps : 1;
  std::vector<std::uint8_t> keep(earlier_.begin(), earlier_.end());
  for (std::int64_t step = 1; step <= steps; ++step) {
    keep = choose_mask(layer_, goal_of_step(goal, step, steps), rank(), keep);
    if (options_.refit) fit(keep);
  }
  if (options_.refit) {
    set_constant(layer_.weight, {weight_.begin(), weight_.end()});
    if (layer_.bias != ADZE_NONE) set_constant(layer_.bias, {bias_.begin(), bias_.end()});
  }
  adze::check(call_->edit->set_mask(call_, layer_.weight, keep.data(), keep.size()));
}

void LayerPruner::load_statistics() {
  const auto& calibration = adze::need<adze_calibration>(call_, ADZE_CALIBRATION);
  // What the layer answers holds that other bias too, so the weights cannot be fitted to it.
  const bool from_answers = options_.sequential && !layer_.has_other_bias;
  const std::uint32_t state = options_.sequential ? ADZE_STATE_EDITED : ADZE_STATE_SHOWN;
  const adze_stat_request requests[] = {{.struct_size = sizeof(adze_stat_request),
                                         .kind = ADZE_STAT_GRAM,
                                         .node = layer_.node,
                                         .value = ADZE_NONE,
                                         .state = state,
                                         .value_state = 0,
                                         .first = 0,
                                         .count = 0,
                                         .bins = 0},
                                        {.struct_size = sizeof(adze_stat_request),
                                         .kind = ADZE_STAT_CROSS,
                                         .node = layer_.node,
                                         .value = call_->graph->nodes[layer_.node]->outputs[0],
                                         .state = state,
                                         .value_state = ADZE_STATE_SHOWN,
                                         .first = 0,
                                         .count = 0,
                                         .bins = 0}};
  const adze_stat* stats[2] = {};
  adze::check(calibration.collect(call_, requests, from_answers ? 2 : 1, stats));

  const Eigen::Index size = layer_.columns + 1, rows = group_rows();
  const adze_tensor& gram = stats[0]->data;
  if (gram.ndim != 3 || gram.shape[0] != layer_.groups || gram.shape[1] != size)
    throw adze::Error(ADZE_INTERNAL, "the host's Gram matrix does not have the layer's size");
  for (std::int64_t group = 0; group < layer_.groups; ++group) {
    RefitProblem problem;
    problem.damping = options_.damping;
    problem.has_bias = layer_.bias != ADZE_NONE;
    problem.gram =
        Eigen::Map<const Eigen::MatrixXd>(elements_of(*stats[0]) + group * size * size, size, size);
    problem.dense = RowMatrix::Zero(rows, size);
    for (std::int64_t row = 0; row < rows; ++row) {
      for (std::int64_t column = 0; column < layer_.columns; ++column)
        problem.dense(row, column) = weight_[layer_.index(group * rows + row, column)];
      if (problem.has_bias)
        problem.dense(row, layer_.columns) =
            bias_[static_cast<std::size_t>(group * rows + row)] * layer_.bias_factor;
    }
    if (from_answers)
      problem.answers =
          Eigen::Map<const RowMatrix>(elements_of(*stats[1]) + group * rows * size, rows, size) /
          layer_.output_factor;
    else
      problem.answers = problem.dense * problem.gram;
    problems_.push_back(std::move(problem));
  }
  for (const adze_stat* stat : stats)
    if (stat) calibration.release(call_, stat);
}

std::vector<double> LayerPruner::rank() const {
  std::vector<double> scores(weight_.size());
  for (std::int64_t group = 0; group < layer_.groups; ++group) {
    Eigen::VectorXd importance = Eigen::VectorXd::Ones(layer_.columns);
    if (options_.by_activation) {
      // The bias moves along in a refit, so an input's mean costs nothing: what a weight is worth
      // is the deviation around it.
      const RefitProblem& problem = problems_[static_cast<std::size_t>(group)];
      importance = problem.gram.diagonal().head(layer_.columns);
      if (problem.has_bias)
        importance -= problem.gram.col(layer_.columns).head(layer_.columns).cwiseAbs2();
      importance = importance.cwiseMax(0).cwiseSqrt();
    }
    for (std::int64_t row = group * group_rows(); row < (group + 1) * group_rows(); ++row)
      for (std::int64_t column = 0; column < layer_.columns; ++column) {
        const std::size_t i = layer_.index(row, column);
        scores[i] = std::abs(weight_[i]) * importance(column);
      }
  }
  return scores;
}

void LayerPruner::fit(const std::vector<std::uint8_t>& keep) {
  const std::int64_t rows = group_rows();
  for (std::int64_t group = 0; group < layer_.groups; ++group) {
    const RefitProblem& problem = problems_[static_cast<std::size_t>(group)];
    MaskMatrix mask(rows, layer_.columns);
    for (std::int64_t row = 0; row < rows; ++row)
      for (std::int64_t column = 0; column < layer_.columns; ++column)
        mask(row, column) = keep[layer_.index(group * rows + row, column)];
    // Inputs that are zero in every sample say nothing: the weights stay as they are.
    RowMatrix fitted = problem.dense;
    if (problem.gram.diagonal().head(layer_.columns).maxCoeff() > 0)
      fitted = refit(problem, mask, call_->threads);
    for (std::int64_t row = 0; row < rows; ++row) {
      for (std::int64_t column = 0; column < layer_.columns; ++column)
        weight_[layer_.index(group * rows + row, column)] =
            mask(row, column) ? fitted(row, column) : 0;
      if (problem.has_bias)
        bias_[static_cast<std::size_t>(group * rows + row)] =
            fitted(row, layer_.columns) / layer_.bias_factor;
    }
  }
}

void LayerPruner::set_constant(std::uint32_t value, const std::vector<float>& contents) {
  adze_tensor tensor = *call_->graph->values[value]->constant;
  tensor.data = contents.data();
  tensor.byte_offset = 0;
  adze::check(call_->edit->set_constant(call_, value, &tensor));
}

}  // namespace magnitude
