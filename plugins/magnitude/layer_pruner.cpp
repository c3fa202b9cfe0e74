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

}  // namespace

LayerPruner::LayerPruner(adze_call* call, const Layer& layer, const Options& options)
    : call_(call), layer_(layer), options_(options) {
  const adze_value& weight = *call->graph->values[layer.weight];
  weight_ = pruning::weights_of(*call->graph, layer);
  if (weight.keep) earlier_ = {weight.keep, weight_.size()};
  if (layer.bias != ADZE_NONE) bias_ = pruning::bias_of(*call->graph, layer);
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
    keep = pruning::choose_mask(layer_, goal_of_step(goal, step, steps), rank(), keep);
    if (options_.refit) fit(keep);
  }
  if (options_.refit) {
    set_constant(layer_.weight, {weight_.begin(), weight_.end()});
    if (layer_.bias != ADZE_NONE) set_constant(layer_.bias, {bias_.begin(), bias_.end()});
  }
  adze::check(call_->edit->set_mask(call_, layer_.weight, keep.data(), keep.size()));
}

void LayerPruner::load_statistics() {
  pruning::MomentsRequest request;
  request.layer = &layer_;
  request.state = options_.sequential ? ADZE_STATE_EDITED : ADZE_STATE_SHOWN;
  // What the layer answers holds that other bias too, so the weights cannot be fitted to it.
  if (options_.sequential && !layer_.has_other_bias)
    request.answers = {{.value = call_->graph->nodes[layer_.node]->outputs[0]}};
  problems_ = pruning::collect_moments(call_, {&request, 1}).front().groups;
  for (pruning::RefitProblem& problem : problems_) problem.damping = options_.damping;
}

std::vector<double> LayerPruner::rank() const {
  std::vector<double> scores(weight_.size());
  for (std::int64_t group = 0; group < layer_.groups; ++group) {
    Eigen::VectorXd importance = Eigen::VectorXd::Ones(layer_.columns);
    if (options_.by_activation) {
      // The bias moves along in a refit, so an input's mean costs nothing: what a weight is worth
      // is the deviation around it.
      const pruning::RefitProblem& problem = problems_[static_cast<std::size_t>(group)];
      importance = problem.gram.diagonal().head(layer_.columns);
      if (problem.has_bias)
        importance -= problem.gram.col(layer_.columns).head(layer_.columns).cwiseAbs2();
      importance = importance.cwiseMax(0).cwiseSqrt();
    }
    for (std::int64_t row = group * layer_.group_rows(); row < (group + 1) * layer_.group_rows();
         ++row)
      for (std::int64_t column = 0; column < layer_.columns; ++column) {
        const std::size_t i = layer_.index(row, column);
        scores[i] = std::abs(weight_[i]) * importance(column);
      }
  }
  return scores;
}

void LayerPruner::fit(const std::vector<std::uint8_t>& keep) {
  const std::int64_t rows = layer_.group_rows();
  const pruning::ForEach threads = pruning::on_host_threads(call_);
  for (std::int64_t group = 0; group < layer_.groups; ++group) {
    const pruning::RefitProblem& problem = problems_[static_cast<std::size_t>(group)];
    pruning::MaskMatrix mask(rows, layer_.columns);
    for (std::int64_t row = 0; row < rows; ++row)
      for (std::int64_t column = 0; column < layer_.columns; ++column)
        mask(row, column) = keep[layer_.index(group * rows + row, column)];
    // Inputs that are zero in every sample say nothing: the weights stay as they are.
    pruning::RowMatrix fitted = problem.dense;
    if (problem.gram.diagonal().head(layer_.columns).maxCoeff() > 0)
      fitted = pruning::refit(problem, mask, threads);
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
