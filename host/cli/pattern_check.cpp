#include "host/cli/pattern_check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "host/graph/pattern.hpp"

namespace adze::host {
namespace {

using nlohmann::json;

constexpr const char* kRecorded = "recorded";
/// A layer of fewer zeros, or of fewer than half of what the pattern asks for, is none that was
/// pruned.
constexpr double kDenseSparsity = 0.1;

std::vector<std::uint8_t> kept_of(const Tensor& weight) {
  const std::vector<float> elements = to_f32(weight);
  std::vector<std::uint8_t> kept(elements.size());
  std::ranges::transform(elements, kept.begin(), [](float x) { return x != 0; });
  return kept;
}

std::string verdict_of(const PatternCheck& check, const Pattern& pattern) {
  if (check.zeros == 0) return "dense";
  if (check.violated == 0) return "holds";
  const double sparsity = static_cast<double>(check.zeros) / static_cast<double>(check.weights);
  const double least = pattern.group ? std::min(kDenseSparsity, pattern.sparsity() / 2) : 0.0;
  return sparsity < least ? "dense" : "broken";
}

}  // namespace

void check_model_pattern(const std::filesystem::path& model, const std::string& text,
                         Context& context) {
  const bool recorded = text == kRecorded;
  const std::optional<Pattern> wanted = parse_pattern(text);
  if (!wanted && !recorded)
    throw Error(ADZE_INVALID_ARGUMENT,
                fmt::format("--pattern: '{}' is no pattern: N:M with N up to M (4:16), 1xK or Kx1 "
                            "(1x4), or '{}' for what the file says of each layer",
                            text, kRecorded));
  const Graph graph = load_simplified(model);
  json layers = json::array();
  Table table({"layer", "operator", "recorded", "sparsity", "groups", "broken", "verdict"});
  int holding = 0, broken = 0, dense = 0;
  for (const Node& node : graph.nodes) {
    const std::uint32_t weight = weight_of(graph, node);
    if (weight == kNone) continue;
    const Value& value = graph.value(weight);
    const std::optional<Pattern> pattern = recorded ? parse_pattern(value.pattern) : wanted;
    if (!pattern) continue;
    const auto check = check_pattern(graph, node, *pattern, kept_of(*value.constant));
    if (!check || check->weights == 0) continue;
    const std::string verdict = verdict_of(*check, *pattern);
    ++(verdict == "holds" ? holding : verdict == "dense" ? dense : broken);
    const double sparsity = static_cast<double>(check->zeros) / static_cast<double>(check->weights);
    const std::string where = fmt::format("output {}, channels from {}, position {}", check->output,
                                          check->channel, check->position);
    table.row({node.name, node.op, value.pattern, fmt::format("{:.1f} %", sparsity * 100),
               std::to_string(check->groups), std::to_string(check->violated),
               verdict == "broken" ? "broken, first at " + where : verdict});
    layers.push_back({{"name", node.name},
                      {"op", node.op},
                      {"pattern", recorded ? value.pattern : text},
                      {"recorded", value.pattern.empty() ? json(nullptr) : json(value.pattern)},
                      {"sparsity", sparsity},
                      {"groups", check->groups},
                      {"broken", check->violated},
                      {"first_broken", verdict == "broken" ? json(where) : json(nullptr)},
                      {"verdict", verdict}});
  }
  const bool holds = holding > 0 && broken == 0;
  if (!holds) context.exit = Exit::failed;
  context.result({{"model", model.filename().string()},
                  {"pattern", text},
                  {"holds", holds},
                  {"layers", layers}},
                 table.str() + fmt::format("\n{}: {} layers hold it, {} break it, {} are dense\n",
                                           text, holding, broken, dense));
}

}  // namespace adze::host
