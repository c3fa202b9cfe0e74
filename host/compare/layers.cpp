#include "host/compare/layers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>

namespace adze::host {
namespace {

std::string shape_text(const Value& value) {
  return (value.shape ? to_string(*value.shape) : "of unknown shape") + " of " +
         info(value.dtype).name;
}

/// Empty: the two can be compared.
std::string why_not(const Value& a, const Value& b) {
  if (a.dtype == DType::string || b.dtype == DType::string) return "it holds text";
  bool same = a.dtype == b.dtype && (!a.shape || !b.shape || a.shape->size() == b.shape->size());
  for (std::size_t axis = 0; same && a.shape && b.shape && axis < a.shape->size(); ++axis)
    same = (*a.shape)[axis] < 0 || (*b.shape)[axis] < 0 || (*a.shape)[axis] == (*b.shape)[axis];
  if (same) return {};
  return fmt::format("it is {} in the first model and {} in the second", shape_text(a),
                     shape_text(b));
}

/// How different a layer is, for sorting: in limits, so that kinds of layers can be told apart.
double distance(const LayerResult& result, const LayerLimits& limits) {
  const OutputComparison& figures = result.figures;
  if (figures.steps) return figures.steps->differing_share / limits.differing_share;
  return figures.max_rel.value_or(1) / limits.max_rel;
}

}  // namespace

std::vector<std::string> LayerMatch::names() const {
  std::vector<std::string> all;
  for (const Layer& layer : layers) all.push_back(layer.value);
  return all;
}

void LayerMatch::leave_out(const std::string& value, const std::string& reason) {
  const auto found = std::ranges::find(layers, value, &Layer::value);
  if (found == layers.end()) return;
  unobserved.push_back({found->value, found->node, found->op, reason});
  layers.erase(found);
}

LayerMatch match_layers(const Graph& a, const Graph& b) {
  std::map<std::string_view, std::uint32_t> in_b;
  for (std::uint32_t v = 0; v < b.values.size(); ++v)
    if (b.values[v].producer != kNone) in_b.emplace(b.values[v].name, v);
  LayerMatch match;
  for (const Node& node : a.nodes)
    for (const std::uint32_t output : node.outputs) {
      if (output == kNone) continue;
      const Value& value = a.value(output);
      const auto found = in_b.find(value.name);
      std::string reason = "the second model has no value of this name";
      if (found != in_b.end()) {
        const Value& other = b.value(found->second);
        reason = why_not(value, other);
        if (reason.empty()) {
          const std::optional<Quant>& quant = value.quant ? value.quant : other.quant;
          match.quantized = match.quantized || quant;
          match.layers.push_back({value.name, node.name, node.op, value.shape, quant});
        }
        in_b.erase(found);
      }
      if (!reason.empty()) match.unobserved.push_back({value.name, node.name, node.op, reason});
    }
  for (const Node& node : b.nodes)
    for (const std::uint32_t output : node.outputs)
      if (output != kNone && in_b.contains(b.value(output).name))
        match.unobserved.push_back({b.value(output).name, node.name, node.op,
                                    "the first model has no value of this name"});
  return match;
}

bool is_within(const OutputComparison& figures, const LayerLimits& limits) {
  if (figures.nan_differing > 0) return false;
  if (figures.steps)
    return figures.steps->max <= limits.max_steps &&
           figures.steps->differing_share <= limits.differing_share;
  return figures.max_abs <= limits.max_abs ||
         (figures.max_rel && *figures.max_rel <= limits.max_rel);
}

const LayerResult* LayerComparison::first_parting() const {
  const auto found = std::ranges::find(layers, false, &LayerResult::within);
  return found == layers.end() ? nullptr : &*found;
}

std::vector<std::size_t> LayerComparison::worth_showing(std::size_t most) const {
  constexpr std::size_t kBefore = 5;
  std::vector<std::size_t> shown(layers.size());
  std::iota(shown.begin(), shown.end(), std::size_t{0});
  if (layers.size() <= most) return shown;
  if (const LayerResult* first = first_parting()) {
    const auto at = static_cast<std::size_t>(first - layers.data());
    const std::size_t begin = std::min(at - std::min(at, kBefore), layers.size() - most);
    return {shown.begin() + static_cast<std::ptrdiff_t>(begin),
            shown.begin() + static_cast<std::ptrdiff_t>(begin + most)};
  }
  std::ranges::stable_sort(shown, std::ranges::greater{},
                           [&](std::size_t layer) { return distance(layers[layer], limits); });
  shown.resize(most);
  std::ranges::sort(shown);
  return shown;
}

LayerComparison judge_layers(const LayerMatch& match, const std::vector<OutputComparison>& results,
                             const LayerLimits& limits) {
  LayerComparison comparison{.layers = {}, .unobserved = match.unobserved, .limits = limits};
  std::map<std::string_view, const OutputComparison*> by_name;
  for (const OutputComparison& result : results) by_name.emplace(result.name, &result);
  for (const Layer& layer : match.layers) {
    const auto found = by_name.find(layer.value);
    if (found == by_name.end())
      comparison.unobserved.push_back({layer.value, layer.node, layer.op, "a runner left it out"});
    else
      comparison.layers.push_back({layer, *found->second, is_within(*found->second, limits)});
  }
  return comparison;
}

}  // namespace adze::host
