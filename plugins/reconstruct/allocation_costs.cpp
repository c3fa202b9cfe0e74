#include "plugins/reconstruct/allocation_costs.hpp"

#include <adze/ext/draft/latency.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace reconstruct {
namespace {

constexpr double kBytesPerBias = 4;
constexpr std::size_t kMostQuestions = 1 << 19;  ///< of one call to the host

double step_sparsity(std::size_t step) {
  return static_cast<double>(step) / static_cast<double>(Costs::kSteps);
}

double count_of(const adze_graph& graph, std::uint32_t value) {
  return static_cast<double>(adze::element_count(*graph.values[value]->constant));
}

/// What earlier stages have pruned of it.
double sparsity_of(const adze_graph& graph, std::uint32_t value) {
  const double count = count_of(graph, value);
  const std::uint8_t* keep = graph.values[value]->keep;
  if (!keep || count == 0) return 0;
  return static_cast<double>(
             std::count(keep, keep + static_cast<std::ptrdiff_t>(count), std::uint8_t{0})) /
         count;
}

double number(const adze_target& target, const char* name) {
  const adze_property* found = adze::fact(&target, name);
  if (!found || !found->f64)
    throw adze::Error(ADZE_FAILED_PRECONDITION, std::string("board type '") + target.board_type +
                                                    "' does not say '" + name +
                                                    "', which a budget in bytes needs");
  return found->f64[0];
}

}  // namespace

Costs Costs::of_weights(const adze_graph& graph, std::span<const CostedLayer> layers) {
  Costs costs;
  costs.unit_ = "weights";
  for (const CostedLayer& layer : layers) {
    const double count = count_of(graph, layer.weight);
    costs.earlier_.push_back(sparsity_of(graph, layer.weight));
    std::vector<double>& steps = costs.by_layer_.emplace_back();
    for (std::size_t s = 0; s <= kSteps; ++s) steps.push_back((1 - step_sparsity(s)) * count);
  }
  return costs;
}

Costs Costs::of_bytes(const adze_graph& graph, const adze_target* target,
                      std::span<const CostedLayer> layers) {
  if (!target)
    throw adze::Error(ADZE_FAILED_PRECONDITION,
                      "a budget in bytes needs a board type: how it stores pruned weights");
  const adze_property* supported = adze::fact(target, "sparse.supported");
  const bool sparse = supported && supported->i64 && supported->i64[0] != 0;
  const double bytes_per_kept = sparse ? number(*target, "sparse.bytes_per_kept_weight") : 0;
  Costs costs;
  costs.unit_ = "bytes";
  std::set<std::uint32_t> pruned, seen;
  for (const CostedLayer& layer : layers) {
    pruned.insert(layer.weight);
    const double count = count_of(graph, layer.weight);
    costs.earlier_.push_back(sparsity_of(graph, layer.weight));
    std::vector<double>& steps = costs.by_layer_.emplace_back();
    for (std::size_t s = 0; s <= kSteps; ++s)
      steps.push_back(sparse ? std::min(count, (1 - step_sparsity(s)) * count * bytes_per_kept)
                             : count);
  }
  for (std::uint32_t n = 0; n < graph.node_count; ++n) {
    const adze_node& node = *graph.nodes[n];
    const std::uint32_t weight = adze::weight_of(graph, node);
    if (weight == ADZE_NONE) continue;
    if (!pruned.contains(weight) && seen.insert(weight).second)
      costs.fixed_ += count_of(graph, weight);
    const std::uint32_t bias = node.input_count > 2 ? node.inputs[2] : ADZE_NONE;
    if (bias != ADZE_NONE && graph.values[bias]->constant && seen.insert(bias).second)
      costs.fixed_ += kBytesPerBias * count_of(graph, bias);
  }
  return costs;
}

Costs Costs::of_latency(adze_call* call, std::span<const CostedLayer> layers) {
  const auto& service = adze::need<adze_latency>(call, ADZE_LATENCY);
  const auto question = [](std::uint32_t node, double sparsity) {
    return adze_what_if{.struct_size = sizeof(adze_what_if),
                        .node = node,
                        .sparsity = sparsity,
                        .input_channels = 0,
                        .output_channels = 0};
  };
  Costs costs;
  // The model as shown, then of each layer: as shown, and at each step. Latency of single nodes
  // does not add up to the model's where engines hand over; that part is fixed.
  std::vector<adze_what_if> questions = {question(ADZE_NONE, 0)};
  for (const CostedLayer& layer : layers) {
    costs.earlier_.push_back(sparsity_of(*call->graph, layer.weight));
    const auto shown = adze::f32(call->graph->values[layer.weight]->constant);
    const auto zeros = std::ranges::count(shown, 0.0f);
    questions.push_back(question(
        layer.node,
        shown.empty() ? 0 : static_cast<double>(zeros) / static_cast<double>(shown.size())));
    for (std::size_t s = 0; s <= kSteps; ++s)
      questions.push_back(question(layer.node, step_sparsity(s)));
  }
  std::vector<double> answers(questions.size());
  for (std::size_t at = 0; at < questions.size(); at += kMostQuestions)
    adze::check(service.ask(call, questions.data() + at,
                            std::min(kMostQuestions, questions.size() - at), answers.data() + at));
  costs.unit_ = "ms (predicted)";
  costs.fixed_ = answers.front();
  for (auto first = answers.begin() + 1; first != answers.end(); first += kSteps + 2) {
    costs.fixed_ -= *first;
    costs.by_layer_.emplace_back(first + 1, first + kSteps + 2);
  }
  costs.fixed_ = std::max(costs.fixed_, 0.0);
  return costs;
}

double Costs::layer(std::size_t layer, double sparsity) const {
  const std::vector<double>& steps = by_layer_.at(layer);
  const double place = std::clamp(sparsity, earlier_.at(layer), 1.0) * static_cast<double>(kSteps);
  const auto step = std::min(static_cast<std::size_t>(place), kSteps - 1);
  const double part = place - static_cast<double>(step);
  return steps[step] + (steps[step + 1] - steps[step]) * part;
}

double Costs::total(std::span<const double> sparsities) const {
  double sum = fixed_;
  for (std::size_t l = 0; l < sparsities.size(); ++l) sum += layer(l, sparsities[l]);
  return sum;
}

}  // namespace reconstruct
