#include "host/pipeline/targets.hpp"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>

#include "host/base/error.hpp"
#include "host/base/nearest.hpp"

namespace adze::host {
namespace {

bool matches(const std::string& node, const std::vector<std::string>& patterns) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
    return pattern == node || ::fnmatch(pattern.c_str(), node.c_str(), 0) == 0;
  });
}

void check_patterns(const Graph& graph, const std::vector<std::string>& patterns, const char* key) {
  std::vector<std::string> names;
  for (const Node& node : graph.nodes) names.push_back(node.name);
  for (const std::string& pattern : patterns) {
    const bool found = std::any_of(names.begin(), names.end(), [&](const std::string& name) {
      return matches(name, {pattern});
    });
    if (!found)
      throw Error(ADZE_INVALID_ARGUMENT, fmt::format("{}: no node is called '{}'{}", key, pattern,
                                                     did_you_mean(pattern, names)));
  }
}

bool is_depthwise(const Graph& graph, const Node& node) {
  if (node.op != "Conv") return false;
  const Shape& weight = graph.value(weight_of(graph, node)).constant->shape();
  const auto groups = attribute_or<std::int64_t>(node, "group", 1);
  return groups > 1 && weight.size() > 1 && weight[1] == 1;
}

/// By node: reached from a model input with no weighted node before it.
std::vector<bool> first_layers(const Graph& graph, const std::vector<bool>& weighted) {
  std::vector<bool> fresh(graph.values.size(), false), first(graph.nodes.size(), false);
  for (const std::uint32_t input : graph.inputs) fresh[input] = true;
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    first[n] = std::any_of(node.inputs.begin(), node.inputs.end(),
                           [&](std::uint32_t value) { return value != kNone && fresh[value]; });
    if (!first[n] || weighted[n]) continue;
    for (const std::uint32_t output : node.outputs)
      if (output != kNone) fresh[output] = true;
  }
  return first;
}

/// By node: a model output is reached with no weighted node behind it.
std::vector<bool> last_layers(const Graph& graph, const std::vector<bool>& weighted) {
  std::vector<bool> final_value(graph.values.size(), false), last(graph.nodes.size(), false);
  for (const std::uint32_t output : graph.outputs) final_value[output] = true;
  for (std::size_t n = graph.nodes.size(); n-- > 0;) {
    const Node& node = graph.nodes[n];
    last[n] = std::any_of(node.outputs.begin(), node.outputs.end(), [&](std::uint32_t value) {
      return value != kNone && final_value[value];
    });
    if (!last[n] || weighted[n]) continue;
    for (const std::uint32_t input : node.inputs)
      if (input != kNone) final_value[input] = true;
  }
  return last;
}

/// A constant may only change when all its readers may.
void drop_half_shared(const Graph& graph, Targets& targets) {
  std::vector<bool> chosen(graph.nodes.size(), false);
  for (const std::uint32_t node : targets.nodes) chosen[node] = true;
  for (bool changed = true; changed;) {
    changed = false;
    for (const std::uint32_t node : targets.nodes) {
      const std::uint32_t weight = weight_of(graph, graph.nodes[node]);
      if (!chosen[node] || weight == kNone) continue;
      for (const std::uint32_t reader : graph.value(weight).consumers)
        if (!chosen[reader] && chosen[node]) {
          chosen[node] = false;
          changed = true;
          targets.excluded.push_back(
              {graph.nodes[node].name, fmt::format("shares its weight with '{}', which is excluded",
                                                   graph.nodes[reader].name)});
        }
    }
  }
  std::erase_if(targets.nodes, [&](std::uint32_t node) { return !chosen[node]; });
}

}  // namespace

Targets choose_targets(const Graph& graph, ComponentKind kind,
                       const std::vector<std::string>& include,
                       const std::vector<std::string>& exclude, bool by_channels) {
  check_patterns(graph, include, "include");
  check_patterns(graph, exclude, "exclude");
  const bool prunes = kind == ComponentKind::pruner;
  std::vector<bool> weighted(graph.nodes.size());
  for (std::size_t n = 0; n < graph.nodes.size(); ++n)
    weighted[n] = weight_of(graph, graph.nodes[n]) != kNone;
  const std::vector<bool> first = first_layers(graph, weighted),
                          last = last_layers(graph, weighted);

  const auto asked = [&](const Node& node) -> std::string {
    if (matches(node.name, exclude)) return "excluded by the stage";
    if (!include.empty() && !matches(node.name, include)) return "not in the stage's include list";
    return "";
  };
  const auto spared = [&](std::size_t n) -> std::string {
    const Node& node = graph.nodes[n];
    if (!prunes || by_channels || !include.empty()) return "";
    if (is_depthwise(graph, node)) return "depthwise convolution";
    if (node.op == "Conv" && first[n]) return "first convolution";
    if (last[n]) return "last layer";
    return "";
  };

  Targets targets;
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    const bool prunable = weighted[n] && node.op != "ConvTranspose";
    if (prunes && !prunable) continue;
    const auto index = static_cast<std::uint32_t>(n);
    if (const std::string reason = asked(node); !reason.empty()) {
      targets.excluded.push_back({node.name, reason});
    } else if (const std::string why = spared(n); !why.empty()) {
      targets.excluded.push_back({node.name, why});
      targets.refits.push_back(index);
    } else {
      targets.nodes.push_back(index);
    }
  }
  if (prunes) drop_half_shared(graph, targets);
  if (targets.nodes.empty())
    throw Error(ADZE_INVALID_ARGUMENT,
                prunes ? "there is no layer to prune: besides the first convolution, depthwise "
                         "convolutions and the last layer the model has none; name some in "
                         "`include`"
                       : "no node is left to quantize; shorten `exclude`");
  return targets;
}

}  // namespace adze::host
