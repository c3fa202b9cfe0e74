// @ID@: prunes the weights of each layer that are closest to zero.
#include <adze/adze.hpp>
#include <algorithm>
#include <cmath>

constexpr adze_param kParams[] = {  // what a recipe may set; the host has checked it
    adze::f64("sparsity", "Share of each layer's weights to prune, 0 to 1.", 0.7, 0, 1)};

static adze_status prune(void*, adze_call* call) noexcept {
  return adze::guard(call, [&] {  // turns what is thrown into a status and a text for the user
    const adze_graph& graph = *call->graph;
    for (const uint32_t n : adze::targets(graph)) {  // the nodes this stage may change
      adze::progress(call, double(n) / graph.node_count, graph.nodes[n]->name);
      const uint32_t value = adze::weight_of(graph, *graph.nodes[n]);
      if (value == ADZE_NONE || graph.values[value]->consumer_count > 1) continue;
      const std::span<const float> weights = adze::f32(graph.values[value]->constant);
      std::vector<std::pair<float, std::size_t>> order;  // ties by place: always the same mask
      for (std::size_t i = 0; i < weights.size(); ++i)
        order.emplace_back(std::isnan(weights[i]) ? INFINITY : std::abs(weights[i]), i);
      std::ranges::sort(order);
      std::vector<uint8_t> keep(weights.size(), 1);  // a byte an element: 0 prunes it
      const double pruned = std::round(call->arguments[0]->f64[0] * double(weights.size()));
      for (std::size_t i = 0; double(i) < pruned; ++i) keep[order[i].second] = 0;
      adze::check(call->edit->set_mask(call, value, keep.data(), keep.size()));
    }
  });
}
constexpr adze_pruner kPruner = {sizeof(adze_pruner), 0, prune};
constexpr adze_component kComponent =
    adze::component("@ID@", "Prunes the weights closest to zero.", kParams, nullptr, &kPruner);
constexpr const adze_component* kComponents[] = {&kComponent};
constexpr adze_plugin kPlugin =
    adze::plugin("@ID@", "0.1.0", "@VENDOR@", "Apache-2.0", kComponents);
const adze_plugin* adze_plugin_v1(void) noexcept { return &kPlugin; }  // the one export
