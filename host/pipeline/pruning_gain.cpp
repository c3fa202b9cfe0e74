#include "host/pipeline/pruning_gain.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "host/graph/statistics.hpp"

namespace adze::host {

PruningGain predict_gain(const Component& backend, const Graph& graph,
                         std::span<const std::uint32_t> targets, const CallOptions& options,
                         std::span<const double> sparsities) {
  const auto node_count = static_cast<std::uint32_t>(graph.nodes.size());
  std::vector<ZeroCount> zeros;
  std::vector<WhatIf> questions;
  for (std::uint32_t node = 0; node < node_count; ++node) {
    zeros.push_back(zeros_of(graph, graph.nodes[node]));
    questions.push_back({node, zeros.back().sparsity()});
    questions.push_back({node, 1.0});
  }
  for (const double sparsity : sparsities)
    for (const std::uint32_t node : targets)
      questions.push_back({node, std::max(sparsity, zeros[node].sparsity())});
  const std::vector<double> answers = estimate(backend, {}, graph, options, questions);

  PruningGain gain;
  double touchable = 0, in_targets = 0, weights = 0, zero = 0;
  for (std::uint32_t node = 0; node < node_count; ++node) {
    gain.node_ms.push_back(answers[2 * node]);
    gain.touchable_ms.push_back(answers[2 * node] - answers[2 * node + 1]);
    gain.latency_ms += answers[2 * node];
    touchable += gain.touchable_ms.back();
    weights += static_cast<double>(zeros[node].weights);
    zero += static_cast<double>(zeros[node].zeros);
  }
  for (const std::uint32_t node : targets) in_targets += gain.touchable_ms[node];
  if (gain.latency_ms > 0) {
    gain.touchable_share = touchable / gain.latency_ms;
    gain.target_share = in_targets / gain.latency_ms;
  }
  auto answer = answers.begin() + 2 * std::ptrdiff_t{node_count};
  for (const double sparsity : sparsities) {
    GainStep step{.sparsity = sparsity, .latency_ms = gain.latency_ms, .all_sparsity = 0};
    double all_zero = zero;
    for (const std::uint32_t node : targets) {
      step.latency_ms += *answer++ - gain.node_ms[node];
      const double now = zeros[node].sparsity();
      all_zero += (std::max(sparsity, now) - now) * static_cast<double>(zeros[node].weights);
    }
    step.all_sparsity = weights > 0 ? all_zero / weights : 0;
    gain.steps.push_back(step);
  }
  return gain;
}

std::string gain_text(const PruningGain& gain, const std::string& board_type) {
  std::string text =
      fmt::format("predicted on {}: {:.4g} ms as it is", board_type, gain.latency_ms);
  for (const GainStep& step : gain.steps)
    text += fmt::format(", {:.4g} ms ({:.2f}x) at {:.0f} %", step.latency_ms,
                        step.latency_ms > 0 ? gain.latency_ms / step.latency_ms : 1.0,
                        step.sparsity * 100);
  return text + fmt::format(
                    "; pruning can touch {:.1f} % of the time (a model fitted to published times, "
                    "not verified "
                    "on hardware)",
                    gain.target_share * 100);
}

}  // namespace adze::host
