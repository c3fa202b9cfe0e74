// adze estimate: predicted latency of a model on a board type, and the share pruning can touch.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "host/abi/backend.hpp"
#include "host/cli/command.hpp"
#include "host/graph/statistics.hpp"
#include "host/pipeline/board_type.hpp"

namespace adze::host {
namespace {

using nlohmann::json;

struct EstimateOptions {
  std::filesystem::path model;
  std::string board_type = "rzv2h";
  std::optional<double> sparsity;
};

// "sparsity=0.7"
double parse_what_if(const std::string& text) {
  constexpr std::string_view kKey = "sparsity=";
  double value = -1;
  if (text.starts_with(kKey)) {
    const std::string number = text.substr(kKey.size());
    std::size_t used = 0;
    try {
      value = std::stod(number, &used);
    } catch (const std::exception&) {
      used = 0;
    }
    if (used != number.size()) value = -1;
  }
  if (!(value >= 0 && value < 1))
    throw Error(
        ADZE_INVALID_ARGUMENT,
        "--what-if '" + text + "': write sparsity=S with S in [0, 1), such as sparsity=0.7");
  return value;
}

// How far off a prediction may be, as the board type says of its own fit.
double interval_factor(const std::string& board_type) {
  const Facts facts = load_facts(board_type);
  const auto found = facts.find("cost.interval_factor");
  const double* factor = found == facts.end() ? nullptr : std::get_if<double>(&found->second);
  if (!factor || !(*factor >= 1))
    throw Error(ADZE_INVALID_ARGUMENT, "board type '" + board_type +
                                           "' lacks cost.interval_factor, a number of at least 1");
  return *factor;
}

void estimate_model(const EstimateOptions& options, Context& context) {
  const Graph graph = load_simplified(options.model);
  const Component backend = context.registry().find("adze.drpai");
  const auto target = load_target(options.board_type);
  CallOptions call = context.call_options();
  call.target = target.get();
  const std::vector<Placement> placements = place(backend, {}, graph, call);

  // One question a node as it is, one fully pruned, one as asked.
  const double asked = options.sparsity.value_or(0);
  std::vector<WhatIf> questions;
  for (std::uint32_t n = 0; n < graph.nodes.size(); ++n) {
    const double now = zeros_of(graph, graph.nodes[n]).sparsity();
    questions.push_back({n, now});
    questions.push_back({n, 1.0});
    questions.push_back({n, std::max(asked, now)});
  }
  const std::vector<double> answers = estimate(backend, {}, graph, call, questions);

  double total = 0, pruned_away = 0, total_asked = 0;
  json layers = json::array();
  Table table({"node", "operator", "unit", "latency us", "share", "pruning can save us"});
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    total += answers[3 * n];
    pruned_away += answers[3 * n] - answers[3 * n + 1];
    total_asked += answers[3 * n + 2];
  }
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    const double now = answers[3 * n], saved = now - answers[3 * n + 1];
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
  const double share = total > 0 ? pruned_away / total : 0;
  const double factor = interval_factor(options.board_type);
  json document = {{"board_type", options.board_type}, {"latency_ms", total},
                   {"latency_low_ms", total / factor}, {"latency_high_ms", total * factor},
                   {"prunable_share", share},          {"layers", layers}};
  std::string text =
      table.str() + fmt::format(
                        "\npredicted on {}: {:.4g} ms, between {:.4g} and {:.4g} (not verified on "
                        "hardware); pruning can "
                        "touch {:.1f} % of it\n",
                        options.board_type, total, total / factor, total * factor, share * 100);
  if (options.sparsity) {
    document["what_if"] = {{"sparsity", asked}, {"latency_ms", total_asked}};
    text += fmt::format("with {:.0f} % sparsity in every layer that can be pruned: {:.4g} ms\n",
                        asked * 100, total_asked);
  }
  context.result(document, text);
}

}  // namespace

void add_estimate(CLI::App& app, Context& context) {
  auto* command =
      app.add_subcommand("estimate", "Predicted latency per layer and in total on a board type");
  const auto options = std::make_shared<EstimateOptions>();
  const auto what_if = std::make_shared<std::string>();
  command->add_option("model", options->model, "ONNX file")->required();
  command->add_option("--board-type", options->board_type, "Board type")->capture_default_str();
  command->add_option("--what-if", *what_if, "sparsity=S: the latency if every layer had it");
  command->callback([options, what_if, &context] {
    if (!what_if->empty()) options->sparsity = parse_what_if(*what_if);
    estimate_model(*options, context);
  });
}

}  // namespace adze::host
