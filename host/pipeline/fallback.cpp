#include "host/pipeline/fallback.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "host/graph/precision.hpp"
#include "host/graph/statistics.hpp"

namespace adze::host {
namespace {

/// Values that belong together.
class Union {
 public:
  explicit Union(std::size_t count) : parent_(count) {
    std::iota(parent_.begin(), parent_.end(), 0u);
  }
  std::uint32_t root(std::uint32_t at) {
    while (parent_[at] != at) at = parent_[at] = parent_[parent_[at]];
    return at;
  }
  void join(std::uint32_t a, std::uint32_t b) {
    a = root(a), b = root(b);
    parent_[std::max(a, b)] = std::min(a, b);
  }

 private:
  std::vector<std::uint32_t> parent_;
};

bool is_activation_on_grid(const Value& value) { return value.quant && !value.constant; }

template <class T>
void sort_unique(std::vector<T>& list) {
  std::ranges::sort(list);
  list.erase(std::ranges::unique(list).begin(), list.end());
}

std::uint32_t bias_of(const Graph& graph, const Node& node) {
  const bool has_bias = node.op == "Conv" || node.op == "ConvTranspose" || node.op == "Gemm";
  if (!has_bias || node.inputs.size() < 3 || node.inputs[2] == kNone) return kNone;
  return graph.value(node.inputs[2]).constant ? node.inputs[2] : kNone;
}

double macs_of(const Graph& graph, const std::vector<std::uint32_t>& nodes) {
  double macs = 0;
  for (const std::uint32_t node : nodes)
    macs += static_cast<double>(macs_of(graph, graph.nodes[node]));
  return macs;
}

/// The groups by recovered error, each with what it would cost alone.
std::vector<std::pair<FloatGroup, QuantizerGroup>> ranked(const Graph& quantized,
                                                          const Graph& before,
                                                          const FallbackTools& tools) {
  std::vector<std::pair<FloatGroup, QuantizerGroup>> all;
  const double error = tools.output_error(quantized), ms = tools.predict_ms(quantized);
  const auto whole = static_cast<double>(std::max<std::int64_t>(int8_macs(quantized).macs, 1));
  const std::vector<QuantizerGroup> groups = quantizer_groups(quantized);
  for (const QuantizerGroup& group : groups) {
    if (tools.progress)
      tools.progress(static_cast<double>(all.size()) / static_cast<double>(groups.size()),
                     "ranking layers");
    const Graph alone = without_grids(quantized, group, before);
    FloatGroup found;
    for (const std::uint32_t node : group.nodes) found.nodes.push_back(quantized.nodes[node].name);
    found.recovered = error - tools.output_error(alone);
    found.mac_share = macs_of(quantized, group.nodes) / whole;
    found.added_ms = tools.predict_ms(alone) - ms;
    all.emplace_back(std::move(found), group);
  }
  std::ranges::stable_sort(
      all, [](const auto& a, const auto& b) { return a.first.recovered > b.first.recovered; });
  return all;
}

}  // namespace

std::vector<QuantizerGroup> quantizer_groups(const Graph& quantized) {
  Union together(quantized.values.size());
  const auto join_all = [&](const std::vector<std::uint32_t>& values) {
    std::uint32_t first = kNone;
    for (const std::uint32_t value : values) {
      if (value == kNone || !is_activation_on_grid(quantized.value(value))) continue;
      if (first == kNone) first = value;
      together.join(first, value);
    }
  };
  for (const Node& node : quantized.nodes) {
    std::vector<std::uint32_t> values = number_inputs(quantized, node);
    if (only_moves(node)) values.insert(values.end(), node.outputs.begin(), node.outputs.end());
    join_all(values);
  }
  std::map<std::uint32_t, QuantizerGroup> groups;
  for (std::uint32_t v = 0; v < quantized.values.size(); ++v)
    if (is_activation_on_grid(quantized.value(v))) groups[together.root(v)].values.push_back(v);
  for (std::uint32_t n = 0; n < quantized.nodes.size(); ++n) {
    const std::vector<std::uint32_t> inputs = number_inputs(quantized, quantized.nodes[n]);
    const auto on_grid = std::ranges::find_if(
        inputs, [&](std::uint32_t value) { return is_activation_on_grid(quantized.value(value)); });
    if (on_grid == inputs.end() || only_moves(quantized.nodes[n])) continue;
    QuantizerGroup& group = groups[together.root(*on_grid)];
    group.nodes.push_back(n);
    for (const std::uint32_t input : inputs)
      if (quantized.value(input).constant && quantized.value(input).quant)
        group.constants.push_back(input);
  }
  std::vector<QuantizerGroup> found;
  for (auto& [root, group] : groups) {
    sort_unique(group.constants);
    if (!group.nodes.empty()) found.push_back(std::move(group));
  }
  return found;
}

bool was_only_rounded(const Tensor& before, const Tensor& after, const Quant& quant) {
  if (before.shape() != after.shape() || before.dtype() != after.dtype()) return false;
  const std::vector<float> a = to_f32(before), b = to_f32(after);
  std::size_t inner = 1;
  for (std::size_t i = static_cast<std::size_t>(quant.axis) + 1;
       quant.axis >= 0 && i < before.shape().size(); ++i)
    inner *= static_cast<std::size_t>(before.shape()[i]);
  for (std::size_t i = 0; i < a.size(); ++i) {
    const float step = quant.scale[quant.axis < 0 ? 0 : i / inner % quant.scale.size()];
    if (std::abs(a[i] - b[i]) > step * 1.001f) return false;
  }
  return true;
}

Graph without_grids(const Graph& quantized, const QuantizerGroup& group, const Graph& before) {
  Graph graph = quantized;
  for (const std::uint32_t value : group.values) graph.values[value].quant.reset();
  std::set<std::uint32_t> restored;
  for (const std::uint32_t value : group.constants) {
    Value& constant = graph.values[value];
    const Value& was = before.value(value);
    if (was.constant && was_only_rounded(*was.constant, *constant.constant, *constant.quant)) {
      constant.constant = was.constant;
      restored.insert(value);
    }
    constant.quant.reset();
  }
  for (const std::uint32_t node : group.nodes) {
    const std::uint32_t weight = weight_of(graph, graph.nodes[node]),
                        bias = bias_of(graph, graph.nodes[node]);
    if (bias != kNone && restored.contains(weight) && before.value(bias).constant)
      graph.values[bias].constant = before.value(bias).constant;
  }
  return graph;
}

FallbackResult fall_back(const Graph& quantized, const DropEstimate& estimate, const Graph& before,
                         double max_drop, double max_float, const FallbackTools& tools) {
  auto groups = ranked(quantized, before, tools);
  FallbackResult result;
  result.graph = quantized;
  result.estimate = estimate;
  double floating = 0;  // of those that were quantized
  std::size_t done = 0;
  for (auto& [found, group] : groups) {
    if (tools.progress)
      tools.progress(static_cast<double>(done++) / static_cast<double>(groups.size()),
                     "reverting layers");
    if (result.estimate.drop <= max_drop) {
      found.reason = "not needed";
    } else if (found.recovered <= 0) {
      found.reason = "would recover nothing";
    } else if (floating + found.mac_share > max_float) {
      found.reason = "too many MACs would be in floating point";
    } else {
      result.graph = without_grids(result.graph, group, before);
      found.reverted = true;
      found.estimate = result.estimate = tools.estimate(result.graph);
      floating += found.mac_share;
      for (const auto* list : {&group.values, &group.constants})
        for (const std::uint32_t value : *list)
          result.values.push_back(quantized.value(value).name);
    }
    result.groups.push_back(found);
  }
  result.within = result.estimate.drop <= max_drop;
  result.predicted_ms = tools.predict_ms(result.graph);
  return result;
}

}  // namespace adze::host
