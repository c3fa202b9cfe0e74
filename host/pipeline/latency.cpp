#include "host/pipeline/latency.hpp"

#include <algorithm>

#include "host/graph/statistics.hpp"

namespace adze::host {
namespace {

/// The changes of unit on the longest way to each node: what one unit runs at a stretch.
std::vector<std::uint32_t> pieces_of(const Graph& graph, const std::vector<Placement>& placements) {
  std::vector<std::uint32_t> piece(graph.nodes.size(), 0);
  for (std::size_t node = 0; node < graph.nodes.size(); ++node)
    for (const std::uint32_t input : graph.nodes[node].inputs) {
      const std::uint32_t from = input == kNone ? kNone : graph.value(input).producer;
      if (from == kNone) continue;
      const std::uint32_t changes = placements[from].unit != placements[node].unit;
      piece[node] = std::max(piece[node], piece[from] + changes);
    }
  return piece;
}

std::uint32_t results_handed_over(const Graph& graph, const std::vector<Placement>& placements,
                                  std::size_t node) {
  std::uint32_t count = 0;
  for (const std::uint32_t output : graph.nodes[node].outputs) {
    if (output == kNone) continue;
    const auto& readers = graph.value(output).consumers;
    count += std::any_of(readers.begin(), readers.end(), [&](std::uint32_t reader) {
      return placements[reader].unit != placements[node].unit;
    });
  }
  return count;
}

}  // namespace

Prediction predict(const Component& backend, const Graph& graph, const CallOptions& options) {
  std::vector<WhatIf> questions;
  for (std::uint32_t node = 0; node < graph.nodes.size(); ++node) {
    questions.push_back({node, zeros_of(graph, graph.nodes[node]).sparsity()});
    questions.push_back({node, 1.0});
  }
  const std::vector<double> answers = estimate(backend, {}, graph, options, questions);
  Prediction prediction;
  double prunable_ms = 0;
  for (std::size_t node = 0; node < graph.nodes.size(); ++node) {
    prediction.node_ms.push_back(answers[2 * node]);
    prediction.total_ms += answers[2 * node];
    prunable_ms += answers[2 * node] - answers[2 * node + 1];
  }
  if (prediction.total_ms > 0) prediction.prunable_share = prunable_ms / prediction.total_ms;
  return prediction;
}

std::vector<LayerChange> compare_layers(const Component& backend, const Graph& after,
                                        const Prediction& predicted_before,
                                        const Prediction& predicted_after,
                                        const CallOptions& options) {
  const std::vector<Placement> placements = place(backend, {}, after, options);
  const std::vector<std::uint32_t> pieces = pieces_of(after, placements);
  std::vector<LayerChange> layers;
  for (std::size_t node = 0; node < after.nodes.size(); ++node) {
    LayerChange layer{.name = after.nodes[node].name,
                      .op = after.nodes[node].op,
                      .unit = placements[node].unit,
                      .reason = placements[node].reason,
                      .sparsity = std::nullopt,
                      .before_ms = predicted_before.node_ms[node],
                      .after_ms = predicted_after.node_ms[node],
                      .piece = pieces[node],
                      .handed_over = results_handed_over(after, placements, node)};
    if (weight_of(after, after.nodes[node]) != kNone)
      layer.sparsity = zeros_of(after, after.nodes[node]).sparsity();
    layers.push_back(std::move(layer));
  }
  return layers;
}

}  // namespace adze::host
