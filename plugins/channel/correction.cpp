#include "plugins/channel/correction.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "plugins/pruning/residual.hpp"
#include "plugins/pruning/statistics.hpp"

namespace channel {
namespace {

using Eigen::Index;

bool loses_columns(const Remains& remains) {
  return std::ranges::any_of(remains.columns, [](std::uint8_t kept) { return !kept; });
}

/// Values that a change of weights, or of channels, reaches.
std::vector<bool> changed_values(const adze_graph& graph, const Model& model,
                                 const std::vector<Remains>& remains) {
  std::vector<bool> source(graph.node_count, false), changed(graph.value_count, false);
  for (std::size_t i = 0; i < model.layers.size(); ++i)
    if (loses_columns(remains[i])) source[model.layers[i].layer.node] = true;
  for (std::uint32_t n = 0; n < graph.node_count; ++n) {
    const adze_node& node = *graph.nodes[n];
    bool reached = source[n];
    for (std::uint32_t i = 0; i < node.input_count; ++i)
      reached = reached || (node.inputs[i] != ADZE_NONE && changed[node.inputs[i]]);
    for (std::uint32_t o = 0; reached && o < node.output_count; ++o)
      if (node.outputs[o] != ADZE_NONE) changed[node.outputs[o]] = true;
  }
  return changed;
}

class Corrector {
 public:
  Corrector(adze_call* call, const Model& model, const std::vector<Remains>& remains,
            const CorrectionOptions& options, Weights& weights)
      : call_(call),
        model_(model),
        remains_(remains),
        options_(options),
        weights_(weights),
        split_(adze::need<adze_calibration>(call, ADZE_CALIBRATION).sample_count),
        for_each_(pruning::on_host_threads(call)) {}

  void correct(std::size_t number) {
    const pruning::Layer& layer = model_.layers[number].layer;
    const auto moments = pruning::collect_moments(call_, requests_of(layer));
    RowMatrix weight = weights_.of(number);
    bool better = false;
    const Index rows = layer.group_rows();
    for (std::int64_t group = 0; group < layer.groups; ++group) {
      const auto g = static_cast<std::size_t>(group);
      const Remains part = rows_of(remains_[number], group * rows, rows);
      const RowMatrix current = weight.middleRows(group * rows, rows);
      const auto fitted = fitted_group(moments[0].groups[g], moments[1].groups[g], current, part);
      if (!fitted) continue;
      weight.middleRows(group * rows, rows) = *fitted;
      better = true;
    }
    if (better) weights_.set(number, std::move(weight));
  }

 private:
  /// For the samples that fit, then for those that judge.
  std::vector<pruning::MomentsRequest> requests_of(const pruning::Layer& layer) const {
    pruning::MomentsRequest request{.layer = &layer};
    if (options_.sequential) {
      request.state = ADZE_STATE_EDITED;
      if (const auto residual = pruning::residual_of(*call_->graph, layer.node))
        request.answers = {{.value = residual->sum},
                           {.value = residual->rest, .state = ADZE_STATE_EDITED, .factor = -1}};
      else
        request.answers = {{.value = call_->graph->nodes[layer.node]->outputs[0]}};
    }
    std::vector<pruning::MomentsRequest> requests;
    for (const Range& range : {split_.fitting, split_.judging}) {
      request.first = range.first, request.count = range.count;
      requests.push_back(request);
    }
    return requests;
  }

  static Remains rows_of(const Remains& all, Index first, Index count) {
    Remains part = all;
    part.rows.assign(all.rows.begin() + first, all.rows.begin() + first + count);
    if (all.keep.size() > 0) part.keep = all.keep.middleRows(first, count);
    return part;
  }

  /// nullopt: what was there is at least as good.
  std::optional<RowMatrix> fitted_group(const pruning::RefitProblem& fitting,
                                        const pruning::RefitProblem& judging,
                                        const RowMatrix& current, const Remains& remains) const {
    constexpr std::array<double, 3> kPulls = {1, 10, 100};
    double least = loss(judging, current, remains);
    std::optional<double> best;
    for (const double pull : kPulls) {
      const double damping = options_.damping * pull;
      const RowMatrix fitted = fit(fitting, current, remains, damping, for_each_);
      if (const double now = loss(judging, fitted, remains); now < least)
        least = now, best = damping;
    }
    if (!best) return std::nullopt;
    return fit(merge(fitting, judging, split_.fitting_share()), current, remains, *best, for_each_);
  }

  adze_call* call_;
  const Model& model_;
  const std::vector<Remains>& remains_;
  const CorrectionOptions& options_;
  Weights& weights_;
  Split split_;
  pruning::ForEach for_each_;
};

}  // namespace

void correct(adze_call* call, const Model& model, const std::vector<Remains>& remains,
             const CorrectionOptions& options, Weights& weights,
             const std::function<void(double, const char*)>& progress) {
  const adze_graph& graph = *call->graph;
  const std::vector<bool> changed = changed_values(graph, model, remains);
  std::vector<std::size_t> wanted;
  for (std::size_t i = 0; i < model.layers.size(); ++i) {
    const pruning::Layer& layer = model.layers[i].layer;
    if (!model.layers[i].may_refit() || layer.columns > kMostColumns || layer.has_other_bias)
      continue;
    if (options.sequential ? changed[graph.nodes[layer.node]->outputs[0]]
                           : loses_columns(remains[i]))
      wanted.push_back(i);
  }
  Corrector corrector(call, model, remains, options, weights);
  weights.clear(remains);
  weights.hand_over();
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const char* name = graph.nodes[model.layers[wanted[i]].layer.node]->name;
    progress(static_cast<double>(i) / static_cast<double>(wanted.size()), name);
    try {
      corrector.correct(wanted[i]);
    } catch (const adze::Error& error) {
      throw adze::Error(error.code, "node '" + std::string(name) + "': " + error.what());
    }
    if (options.sequential) weights.hand_over();
  }
  weights.hand_over();
}

}  // namespace channel
