#include "host/cli/pruning.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "host/base/log.hpp"
#include "host/graph/statistics.hpp"
#include "host/pipeline/board_type.hpp"
#include "host/pipeline/pruning_gain.hpp"
#include "host/pipeline/sample_sets.hpp"
#include "host/pipeline/sensitivity.hpp"
#include "host/pipeline/sparsity_list.hpp"
#include "host/pipeline/targets.hpp"

namespace adze::host {
namespace {

using nlohmann::json;

struct Curves {
  std::string method;  ///< "data_free" | "calibrated"
  std::int64_t samples = 0;
  std::vector<Sensitivity> by_layer;
};

constexpr const char* kDataFreeMeans =
    "error: share of the weights' squares that leaves with the smallest ones (no data was given: "
    "--data has it measured on calibration samples)";
constexpr const char* kCalibratedMeans =
    "error: share of the layer's output variance lost when the least important weights leave and "
    "nothing is refitted; pruners that refit lose several times less";

Curves data_free(const Graph& graph, const std::vector<std::uint32_t>& layers,
                 const std::vector<double>& levels) {
  Curves curves{.method = "data_free", .samples = 0, .by_layer = {}};
  for (const std::uint32_t node : layers)
    curves.by_layer.push_back(data_free_sensitivity(graph, node, levels));
  return curves;
}

Curves calibrated(const PruningOptions& options, Context& context, const Graph& graph,
                  const std::vector<std::uint32_t>& layers, const std::vector<double>& levels) {
  const Recipe recipe = parse_data_tables(options.data);
  if (!recipe.calibration)
    throw Error(ADZE_INVALID_ARGUMENT,
                options.data.string() +
                    ": the table [calibration] is missing, whose samples --pruning measures on");
  const SampleSets sets(recipe, input_specs(graph));
  std::vector<std::int64_t> indices = sets.collected();
  if (static_cast<std::int64_t>(indices.size()) > options.samples)
    indices.resize(static_cast<std::size_t>(options.samples));
  const Component backend = context.registry().find("adze.cpu");
  const CallOptions call = context.call_options();
  const MakeRunner make_runner = [&](const Graph& shown, const std::vector<std::string>& extra,
                                     std::uint32_t batch) -> std::unique_ptr<Runner> {
    return std::make_unique<BackendRunner>(backend, Settings{}, shown, "calibration", call,
                                           CompileOptions{batch, extra});
  };
  Curves curves{
      .method = "calibrated", .samples = static_cast<std::int64_t>(indices.size()), .by_layer = {}};
  ProgressBar bar(context, "measure layers");
  curves.by_layer = calibrated_sensitivities(graph, layers, levels,
                                             {.samples = *sets.calibration(),
                                              .indices = std::move(indices),
                                              .make_runner = make_runner,
                                              .threads = context.thread_count()},
                                             [&](double fraction) { bar.update(fraction); });
  return curves;
}

/// Layers that no pruner touches unless told to, with the reason.
std::map<std::string, std::string> excluded_layers(const Graph& graph, Targets& targets) {
  try {
    targets = choose_targets(graph, ComponentKind::pruner, {}, {});
  } catch (const Error&) {  // none is left: all of them are excluded, whatever for
    std::map<std::string, std::string> all;
    for (const Node& node : graph.nodes)
      if (weight_of(graph, node) != kNone) all[node.name] = "first, last or depthwise layer";
    return all;
  }
  std::map<std::string, std::string> reasons;
  for (const Excluded& one : targets.excluded) reasons[one.node] = one.reason;
  return reasons;
}

}  // namespace

void inspect_pruning(const PruningOptions& options, Context& context) {
  const std::vector<double> levels = parse_sparsities("--levels", options.levels);
  const Graph graph = load_simplified(options.model);
  const auto target = load_target(options.board_type);
  CallOptions call = context.call_options();
  call.target = target.get();
  Targets targets;
  const std::map<std::string, std::string> excluded = excluded_layers(graph, targets);
  const std::set<std::uint32_t> prunable(targets.nodes.begin(), targets.nodes.end());
  std::vector<double> steps(std::begin(kTellingSparsities), std::end(kTellingSparsities));
  const PruningGain gain =
      predict_gain(context.registry().find("adze.drpai"), graph, targets.nodes, call, steps);

  std::vector<std::uint32_t> layers;
  std::int64_t all_weights = 0, target_weights = 0;
  for (std::uint32_t n = 0; n < graph.nodes.size(); ++n) {
    const std::int64_t weights = zeros_of(graph, graph.nodes[n]).weights;
    if (weights == 0 || graph.nodes[n].op == "ConvTranspose") continue;
    layers.push_back(n);
    all_weights += weights;
    if (prunable.contains(n)) target_weights += weights;
  }
  const Curves curves = options.data.empty() ? data_free(graph, layers, levels)
                                             : calibrated(options, context, graph, layers, levels);

  std::vector<std::string> header = {"layer", "operator", "weights", "time", "can touch"};
  for (const double level : levels) header.push_back(fmt::format("at {:.4g} %", level * 100));
  header.push_back("stays dense because");
  Table table(header);
  json rows = json::array();
  const auto share = [&](double ms) { return gain.latency_ms > 0 ? ms / gain.latency_ms : 0; };
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const std::uint32_t n = layers[i];
    const Node& node = graph.nodes[n];
    const ZeroCount zeros = zeros_of(graph, node);
    const Sensitivity& curve = curves.by_layer[i];
    const auto why = excluded.find(node.name);
    const std::string reason = why == excluded.end() ? "" : why->second;
    rows.push_back({{"name", node.name},
                    {"op", node.op},
                    {"weights", zeros.weights},
                    {"sparsity", zeros.sparsity()},
                    {"target", prunable.contains(n)},
                    {"reason", reason},
                    {"predicted_ms", gain.node_ms[n]},
                    {"time_share", share(gain.node_ms[n])},
                    {"touchable_share", share(gain.touchable_ms[n])},
                    {"errors", curve.problem.empty() ? json(curve.errors) : json(nullptr)},
                    {"problem", curve.problem}});
    std::vector<std::string> cells = {node.name, node.op, std::to_string(zeros.weights),
                                      fmt::format("{:.2f} %", share(gain.node_ms[n]) * 100),
                                      fmt::format("{:.2f} %", share(gain.touchable_ms[n]) * 100)};
    for (std::size_t l = 0; l < levels.size(); ++l)
      cells.push_back(curve.problem.empty() ? fmt::format("{:.4f}", curve.errors[l]) : "-");
    cells.push_back(curve.problem.empty() ? reason
                    : reason.empty()      ? curve.problem
                                          : reason + "; " + curve.problem);
    table.row(cells);
  }
  const std::string method =
      curves.method == "data_free"
          ? kDataFreeMeans
          : fmt::format("{}, on {} calibration samples", kCalibratedMeans, curves.samples);
  json gains = json::array();
  for (const GainStep& step : gain.steps)
    gains.push_back({{"sparsity", step.sparsity},
                     {"latency_ms", step.latency_ms},
                     {"all_sparsity", step.all_sparsity}});
  json document = {{"model", options.model.filename().string()},
                   {"board_type", options.board_type},
                   {"method", curves.method},
                   {"samples", curves.samples},
                   {"levels", levels},
                   {"weights", all_weights},
                   {"target_weights", target_weights},
                   {"predicted_ms", gain.latency_ms},
                   {"prunable_share", gain.touchable_share},
                   {"target_share", gain.target_share},
                   {"gain", std::move(gains)},
                   {"layers", std::move(rows)},
                   {"warnings", json::array()}};
  const double reach =
      all_weights ? static_cast<double>(target_weights) / static_cast<double>(all_weights) : 0;
  if (reach < kWorthwhileSparsity) {
    const std::string warning = fmt::format(
        "only {:.1f} % of the weights are in layers that are pruned unless named in `include`, "
        "fewer than the {:.0f} % from which a DRP-AI board gains; {}",
        reach * 100, kWorthwhileSparsity * 100, gain_text(gain, options.board_type));
    document["warnings"].push_back(warning);
    log(LogLevel::warning, warning);
  }
  context.result(
      document,
      table.str() +
          fmt::format("\n{} of {} weights are in layers that a pruner may change\n{}\ntime, can "
                      "touch: share of the predicted time of the whole model, and of it what "
                      "would go without any weight\n{}\n",
                      target_weights, all_weights, gain_text(gain, options.board_type), method));
}

}  // namespace adze::host
