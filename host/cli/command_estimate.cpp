// adze estimate: predicted latency of a model on a board type, and the share pruning can touch.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "host/abi/backend.hpp"
#include "host/base/log.hpp"
#include "host/cli/command.hpp"
#include "host/cli/unknown_operators.hpp"
#include "host/pipeline/board_type.hpp"
#include "host/pipeline/board_type_check.hpp"
#include "host/pipeline/memory_need.hpp"
#include "host/pipeline/pruning_gain.hpp"
#include "host/pipeline/sparsity_list.hpp"
#include "host/pipeline/targets.hpp"

namespace adze::host {
namespace {

using nlohmann::json;

struct EstimateOptions {
  std::filesystem::path model;
  std::string board_type = "rzv2h";
  std::vector<std::string> shapes;  ///< of inputs that the file leaves open
  std::vector<double> sparsities;   ///< ascending; empty: not asked
  std::string toolchain;            ///< version; empty: that of the board type
  std::optional<int> freq_index;    ///< AI-MAC clock, as the runtime and its driver number it
};

/// 1 and 2: 1 GHz; n from 3: 1260 MHz / (n - 1).
double mhz_of(int freq_index) { return freq_index < 3 ? 1000 : 1260.0 / (freq_index - 1); }

Facts facts_for(const EstimateOptions& options) {
  Facts facts = load_facts(options.board_type);
  check_board_type(facts, (board_type_folder() / (options.board_type + ".toml")).string());
  if (!options.toolchain.empty()) facts = at_toolchain(std::move(facts), options.toolchain);
  if (!options.freq_index) return facts;
  const auto clock = facts.find("clock.ai_mhz");
  if (clock == facts.end())
    throw Error(ADZE_INVALID_ARGUMENT, "--freq-index: the clock of '" + options.board_type +
                                           "' is not known and cannot be changed");
  clock->second = mhz_of(*options.freq_index);
  return facts;
}

/// What a pruner would prune unless told otherwise; empty when there is nothing.
std::vector<std::uint32_t> default_targets(const Graph& graph) {
  try {
    return choose_targets(graph, ComponentKind::pruner, {}, {}).nodes;
  } catch (const Error&) {
    return {};
  }
}

struct Estimate {
  PruningGain gain;
  double factor = 1;  ///< of the interval
};

void add_steps(const Estimate& estimate, json& document, std::string& text) {
  const PruningGain& gain = estimate.gain;
  json steps = json::array();
  Table table({"sparsity", "of all weights", "predicted ms", "between", "gain", "time saved"});
  for (const GainStep& step : gain.steps) {
    const double low = step.latency_ms / estimate.factor, high = step.latency_ms * estimate.factor,
                 saved = gain.latency_ms > 0 ? 1 - step.latency_ms / gain.latency_ms : 0;
    steps.push_back({{"sparsity", step.sparsity},
                     {"all_sparsity", step.all_sparsity},
                     {"latency_ms", step.latency_ms},
                     {"latency_low_ms", low},
                     {"latency_high_ms", high},
                     {"saved_share", saved}});
    table.row({fmt::format("{:.4g} %", step.sparsity * 100),
               fmt::format("{:.1f} %", step.all_sparsity * 100),
               fmt::format("{:.4g}", step.latency_ms), fmt::format("{:.4g} - {:.4g}", low, high),
               fmt::format("{:.2f}x", step.latency_ms > 0 ? gain.latency_ms / step.latency_ms : 1),
               fmt::format("{:.1f} %", saved * 100)});
  }
  const GainStep& first = gain.steps.front();
  document["what_if"] = {{"sparsity", first.sparsity}, {"latency_ms", first.latency_ms}};
  document["what_if_steps"] = std::move(steps);
  text += "\n" + table.str() +
          fmt::format(
              "sparsity: in every layer a pruner may change unless told otherwise (first, "
              "last and depthwise layers stay dense); pruning can touch {:.1f} % of the "
              "predicted time there\n",
              gain.target_share * 100);
  if (first.sparsity < kWorthwhileSparsity) {
    const std::string warning = fmt::format(
        "below {:.0f} % sparsity a DRP-AI board gains little: at {:.4g} % {:.1f} % of "
        "the predicted time of this model are saved",
        kWorthwhileSparsity * 100, first.sparsity * 100,
        gain.latency_ms > 0 ? (1 - first.latency_ms / gain.latency_ms) * 100 : 0.0);
    document["warnings"].push_back(warning);
    log(LogLevel::warning, warning);
  }
}

void estimate_model(const EstimateOptions& options, Context& context) {
  const Graph graph = load_to_place(options.model, options.shapes);
  const Component backend = context.registry().find("adze.drpai");
  const Facts facts = facts_for(options);
  const Target target(options.board_type, facts);
  CallOptions call = context.call_options();
  call.target = &target;
  const std::vector<Placement> placements = place(backend, {}, graph, call);
  const Estimate estimate{
      predict_gain(backend, graph, default_targets(graph), call, options.sparsities),
      interval_factor(facts, options.board_type)};
  const std::optional<MemoryNeed> memory = memory_need(graph, placements, facts);
  if (memory) require_fit(*memory, options.model.filename().string(), options.board_type);
  const PruningGain& gain = estimate.gain;
  const double total = gain.latency_ms;

  json layers = json::array();
  Table table({"node", "operator", "unit", "latency us", "share", "pruning can save us"});
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    const double now = gain.node_ms[n], saved = gain.touchable_ms[n];
    const char* bound = placements[n].unit != "drpai" ? "cpu" : saved > 0 ? "compute" : "memory";
    layers.push_back({{"name", node.name},
                      {"op", node.op},
                      {"unit", placements[n].unit},
                      {"latency_ms", now},
                      {"bound", bound}});
    table.row({node.name, node.op, placements[n].unit, fmt::format("{:.2f}", now * 1000),
               fmt::format("{:.1f} %", total > 0 ? now / total * 100 : 0),
               fmt::format("{:.2f}", saved * 1000)});
  }
  json document = {{"board_type", options.board_type},
                   {"latency_ms", total},
                   {"latency_low_ms", total / estimate.factor},
                   {"latency_high_ms", total * estimate.factor},
                   {"prunable_share", gain.touchable_share},
                   {"target_share", gain.target_share},
                   {"memory_bytes", memory ? to_json(*memory) : json(nullptr)},
                   {"warnings", unknown_operators(graph)},
                   {"layers", layers}};
  std::string text =
      table.str() +
      fmt::format(
          "\npredicted on {}: {:.4g} ms, between {:.4g} and {:.4g} (not verified on hardware); "
          "pruning can touch {:.1f} % of it\n",
          options.board_type, total, total / estimate.factor, total * estimate.factor,
          gain.touchable_share * 100);
  if (memory)
    text += fmt::format("memory area of DRP-AI: {} (counted, not verified on hardware)\n",
                        memory_text(*memory));
  if (!options.sparsities.empty()) add_steps(estimate, document, text);
  context.result(document, text);
}

}  // namespace

void add_estimate(CLI::App& app, Context& context) {
  auto* command =
      app.add_subcommand("estimate", "Predicted latency per layer and in total on a board type");
  const auto options = std::make_shared<EstimateOptions>();
  const auto what_if = std::make_shared<std::string>();
  command->add_option("model", options->model, "ONNX file")->required();
  command->add_option("--shape", options->shapes,
                      "Shape of an input whose sizes the file leaves open: image=1x3x224x224");
  command->add_option("--board-type", options->board_type, "Board type")->capture_default_str();
  auto* asked = command->add_option(
      "--what-if", *what_if,
      "The latency if every layer that may be pruned were this sparse: sparsity=0.7, "
      "sparsity=0.5,0.7,0.9 or sparsity=0.7..0.95:0.05 (from..to:step)");
  command
      ->add_option("--freq-index", options->freq_index,
                   "Clock of the AI-MAC as the runtime numbers it: 1 is 1 GHz, n from 3 is "
                   "1260 MHz / (n - 1)")
      ->check(CLI::Range(1, 127));
  command->add_option(
      "--toolchain", options->toolchain,
      "Version of DRP-AI TVM that compiles the model, such as 2.4 (default: that of "
      "the board type's timings)");
  command->callback([options, what_if, asked, &context] {
    if (asked->count()) options->sparsities = parse_sparsities("--what-if", *what_if);
    estimate_model(*options, context);
  });
}

}  // namespace adze::host
