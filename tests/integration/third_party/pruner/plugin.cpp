// Two pruners that know nothing of Adze but its SDK: one drops random weights, the other those
// whose magnitude times the size of their inputs is smallest in their row (the score of Wanda).
#include <adze/ext/calibration.h>

#include <adze/adze.hpp>
#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

namespace {

constexpr adze_param kParams[] = {
    adze::f64("sparsity", "Share of each layer's weights to prune, 0 to 1.", 0.5, 0, 1)};

std::size_t count_to_drop(const adze_call* call, std::size_t weights) {
  return static_cast<std::size_t>(
      std::llround(call->arguments[0]->f64[0] * static_cast<double>(weights)));
}

/// Calls body(node, weight value, weights) for each layer that may change, and reports progress.
template <class Body>
void for_each_layer(adze_call* call, Body&& body) {
  const adze_graph& graph = *call->graph;
  const auto targets = adze::targets(graph);
  bool any = false;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const adze_node& node = *graph.nodes[targets[i]];
    adze::progress(call, static_cast<double>(i) / static_cast<double>(targets.size()), node.name);
    const uint32_t weight = adze::weight_of(graph, node);
    if (weight == ADZE_NONE || graph.values[weight]->consumer_count > 1) continue;
    const auto weights = adze::f32(graph.values[weight]->constant);
    if (weights.empty()) continue;
    if (!std::all_of(weights.begin(), weights.end(), [](float w) { return std::isfinite(w); }))
      throw adze::Error(ADZE_FAILED_PRECONDITION,
                        std::string("node '") + node.name + "' has weights that are not finite");
    body(targets[i], weight, weights);
    any = true;
  }
  if (!any) call->host->log(call, ADZE_LOG_WARNING, "there is no layer to prune");
}

adze_status prune_randomly(void*, adze_call* call) noexcept {
  return adze::guard(call, [&] {
    std::mt19937_64 random(call->seed);
    for_each_layer(call, [&](uint32_t, uint32_t value, std::span<const float> weights) {
      std::vector<std::size_t> order(weights.size());
      for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
      for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random() % i]);
      std::vector<uint8_t> keep(weights.size(), 1);
      const std::size_t dropped = count_to_drop(call, weights.size());
      for (std::size_t i = 0; i < dropped; ++i) keep[order[i]] = 0;
      adze::check(call->edit->set_mask(call, value, keep.data(), keep.size()));
    });
  });
}

/// The root mean square of each weight's input, for the weights of one output; of a convolution in
/// groups, for one output of each group after another.
std::vector<double> input_sizes(adze_call* call, uint32_t node) {
  const auto& calibration = adze::need<adze_calibration>(call, ADZE_CALIBRATION);
  adze_stat_request request{};
  request.struct_size = sizeof request;
  request.kind = ADZE_STAT_GRAM;
  request.node = node;
  request.value = ADZE_NONE;
  const adze_stat* stat = nullptr;
  adze::check(calibration.collect(call, &request, 1, &stat));
  const auto groups = static_cast<std::size_t>(stat->data.shape[0]),
             size = static_cast<std::size_t>(stat->data.shape[1]);
  const auto* gram = reinterpret_cast<const double*>(static_cast<const char*>(stat->data.data) +
                                                     stat->data.byte_offset);
  std::vector<double> sizes;
  for (std::size_t group = 0; group < groups; ++group)
    for (std::size_t i = 0; i + 1 < size; ++i)
      sizes.push_back(std::sqrt(gram[(group * size + i) * size + i]));
  calibration.release(call, stat);
  return sizes;
}

adze_status prune_like_wanda(void*, adze_call* call) noexcept {
  return adze::guard(call, [&] {
    for_each_layer(call, [&](uint32_t node, uint32_t value, std::span<const float> weights) {
      const adze_tensor& tensor = *call->graph->values[value]->constant;
      const bool is_conv = std::string_view(call->graph->nodes[node]->op) == "Conv";
      if (!is_conv && tensor.ndim != 2) return;  // a stack of matrices
      const std::vector<double> sizes = input_sizes(call, node);
      // Conv: a row an output. Others: outputs by inputs, or inputs by outputs, by transB.
      bool rows_first = is_conv;
      const adze_node& shown = *call->graph->nodes[node];
      for (uint64_t i = 0; i < shown.attribute_count; ++i)
        if (std::string_view(shown.attributes[i]->name) == "transB")
          rows_first = shown.attributes[i]->i64[0] != 0;
      const auto outputs = static_cast<std::size_t>(tensor.shape[rows_first ? 0 : 1]);
      const std::size_t inputs = weights.size() / outputs;
      const std::size_t groups = sizes.size() / inputs;
      std::vector<uint8_t> keep(weights.size(), 1);
      // As many of each row, and one more of the first ones, so that the sum is as asked.
      const std::size_t dropped = count_to_drop(call, weights.size());
      for (std::size_t row = 0; row < outputs; ++row) {
        const std::size_t group = row * groups / outputs;
        std::vector<std::pair<double, std::size_t>> order;
        for (std::size_t i = 0; i < inputs; ++i) {
          const std::size_t at = rows_first ? row * inputs + i : i * outputs + row;
          order.emplace_back(std::abs(weights[at]) * sizes[group * inputs + i], at);
        }
        std::sort(order.begin(), order.end());
        const std::size_t count = dropped / outputs + (row < dropped % outputs);
        for (std::size_t i = 0; i < count; ++i) keep[order[i].second] = 0;
      }
      adze::check(call->edit->set_mask(call, value, keep.data(), keep.size()));
    });
  });
}

constexpr const char* kNeedsSamples[] = {ADZE_CALIBRATION, nullptr};
constexpr adze_pruner kRandom = {sizeof(adze_pruner), 0, prune_randomly};
constexpr adze_pruner kWanda = {sizeof(adze_pruner), 0, prune_like_wanda};
constexpr adze_component kRandomComponent =
    adze::component("org.example.random", "Prunes random weights.", kParams, nullptr, &kRandom);
constexpr adze_component kWandaComponent =
    adze::component("org.example.wanda", "Prunes weights by magnitude times input.", kParams,
                    kNeedsSamples, &kWanda);
constexpr const adze_component* kComponents[] = {&kRandomComponent, &kWandaComponent};
constexpr adze_plugin kPlugin =
    adze::plugin("org.example.third-party", "1.0.0", "Example", "Apache-2.0", kComponents);

}  // namespace

const adze_plugin* adze_plugin_v1(void) noexcept { return &kPlugin; }
