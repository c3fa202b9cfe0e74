// adze inspect: what a model is made of, where its nodes would run, and where its time goes.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "host/abi/backend.hpp"
#include "host/cli/command.hpp"
#include "host/cli/explain.hpp"
#include "host/cli/pattern_check.hpp"
#include "host/cli/profile.hpp"
#include "host/cli/pruning.hpp"
#include "host/cli/quantization.hpp"
#include "host/cli/unknown_operators.hpp"
#include "host/graph/statistics.hpp"
#include "host/pipeline/board_type.hpp"
#include "host/pipeline/memory_need.hpp"

namespace adze::host {
namespace {

using nlohmann::json;

struct InspectOptions {
  std::filesystem::path model;
  std::vector<std::string> board_types;
  std::vector<std::string> shapes;  ///< of inputs that the file leaves open
};

std::string shapes_of(const Graph& graph, const Node& node) {
  std::string text;
  for (const std::uint32_t output : node.outputs) {
    if (output == kNone) continue;
    const auto& shape = graph.value(output).shape;
    text += (text.empty() ? "" : ", ") + (shape ? to_string(*shape) : std::string("?"));
  }
  return text;
}

json outputs_of(const Graph& graph, const Node& node) {
  json outputs = json::array();
  for (const std::uint32_t output : node.outputs) {
    if (output == kNone) continue;
    const Value& value = graph.value(output);
    outputs.push_back({{"name", value.name},
                       {"dtype", info(value.dtype).name},
                       {"shape", value.shape ? json(*value.shape) : json(nullptr)},
                       {"quantized", value.quant.has_value()}});
  }
  return outputs;
}

void inspect(const InspectOptions& options, Context& context) {
  const Graph graph = load_to_place(options.model, options.shapes);
  const Component backend = context.registry().find("adze.drpai");
  std::vector<std::vector<Placement>> placements;  // by board type
  json memory = json::object();
  std::string memory_lines;
  for (const std::string& board_type : options.board_types) {
    const auto target = load_target(board_type);
    CallOptions call = context.call_options();
    call.target = target.get();
    placements.push_back(place(backend, {}, graph, call));
    if (const auto need = memory_need(graph, placements.back(), load_facts(board_type))) {
      memory[board_type] = to_json(*need);
      memory_lines += fmt::format("memory area of DRP-AI on {}: {}{}\n", board_type,
                                  memory_text(*need), need->fits() ? "" : ": DOES NOT FIT");
    }
  }

  std::int64_t parameters = 0, macs = 0;
  json nodes = json::array();
  std::vector<std::string> header = {"node", "operator",   "output",
                                     "MMAC", "parameters", "sparsity"};
  header.insert(header.end(), options.board_types.begin(), options.board_types.end());
  Table table(header);
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    const std::int64_t node_macs = macs_of(graph, node), count = parameters_of(graph, node);
    const ZeroCount zeros = zeros_of(graph, node);
    macs += node_macs;
    parameters += count;
    json placement = json::object();
    std::vector<std::string> cells = {
        node.name,
        node.op,
        shapes_of(graph, node),
        node_macs ? fmt::format("{:.3f}", static_cast<double>(node_macs) / 1e6) : "",
        count ? std::to_string(count) : "",
        zeros.weights ? fmt::format("{:.1f} %", zeros.sparsity() * 100) : ""};
    for (std::size_t b = 0; b < options.board_types.size(); ++b) {
      const Placement& where = placements[b][n];
      placement[options.board_types[b]] = {{"unit", where.unit}, {"reason", where.reason}};
      cells.push_back(where.reason.empty() ? where.unit : where.unit + ": " + where.reason);
    }
    table.row(cells);
    nodes.push_back({{"name", node.name},
                     {"op", node.op},
                     {"outputs", outputs_of(graph, node)},
                     {"macs", node_macs},
                     {"parameters", count},
                     {"sparsity", zeros.weights ? json(zeros.sparsity()) : json(nullptr)},
                     {"placement", placement}});
  }
  const ZeroCount total = zeros_of(graph);
  context.result(
      {{"model", options.model.filename().string()},
       {"opset", graph.opset},
       {"parameters", parameters},
       {"macs", macs},
       {"sparsity", total.sparsity()},
       {"memory_bytes", memory},
       {"warnings", unknown_operators(graph)},
       {"nodes", nodes}},
      table.str() +
          fmt::format("\n{} nodes, opset {}, {} parameters, {:.3f} MMAC, {:.1f} % of the "
                      "weights are zero\n",
                      graph.nodes.size(), graph.opset, parameters, static_cast<double>(macs) / 1e6,
                      total.sparsity() * 100) +
          memory_lines);
}

}  // namespace

void add_inspect(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand(
      "inspect", "Nodes, parameters, MACs, sparsity, and where each node would run");
  const auto options = std::make_shared<InspectOptions>();
  command->add_option("model", options->model, "ONNX file")->required();
  command->add_option("--shape", options->shapes,
                      "Shape of an input whose sizes the file leaves open: image=1x3x224x224");
  command->add_option("--board-type", options->board_types,
                      "Board types to place for (default: all)");
  const auto profile = std::make_shared<ProfileOptions>();
  auto* wanted = command->add_flag("--profile", profile->wanted,
                                   "Run it and show where the time goes instead");
  command->add_option("--backend", profile->backend, "Backend that runs it")
      ->capture_default_str()
      ->needs(wanted);
  command->add_option("--batch", profile->how.batch, "Samples in a run")
      ->capture_default_str()
      ->check(CLI::Range(1u, 4096u))
      ->needs(wanted);
  command->add_option("--set", profile->how.settings, "Arguments of the backend: name=value")
      ->needs(wanted);
  command->add_option("--runs", profile->runs, "Runs, of which medians are shown")
      ->capture_default_str()
      ->check(CLI::Range(1u, 100000u))
      ->needs(wanted);
  const auto pruning = std::make_shared<PruningOptions>();
  auto* prunable = command->add_flag(
      "--pruning", pruning->wanted,
      "Show what pruning can do to each layer instead: weights, time it can touch, what is lost");
  prunable->excludes(wanted);
  command
      ->add_option("--data", pruning->data,
                   "TOML file with [data] and [calibration] tables: measures on its samples")
      ->needs(prunable);
  command
      ->add_option("--levels", pruning->levels,
                   "Levels of the curves: sparsity=0.5,0.7,0.9 or sparsity=0.5..0.95:0.05")
      ->capture_default_str()
      ->needs(prunable);
  command->add_option("--samples", pruning->samples, "Calibration samples, at most")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000000))
      ->needs(prunable);
  const auto pattern = std::make_shared<std::string>();
  command
      ->add_option(
          "--pattern", *pattern,
          "Check the zeros of each layer instead: N:M along input channels (4:16), blocks "
          "(1x4, 4x1), or 'recorded' for what the file says; exit code 1 when one breaks it")
      ->excludes(wanted)
      ->excludes(prunable);
  const auto quantization = std::make_shared<bool>(false);
  command
      ->add_flag("--quantization", *quantization,
                 "Is it really INT8, and where not? Each node with the reason, and each tensor's "
                 "scale, zero point and type instead; for QDQ files and files with Q operators")
      ->excludes(wanted)
      ->excludes(prunable)
      ->excludes("--pattern");
  const auto explain = std::make_shared<bool>(false);
  command
      ->add_flag("--explain", *explain,
                 "Show the nodes that leave the accelerator instead, why, and the exact rewrite "
                 "that would keep each there where one is known")
      ->excludes(wanted)
      ->excludes(prunable)
      ->excludes("--pattern")
      ->excludes("--quantization");
  command->callback([options, explain, profile, pruning, pattern, quantization, &context] {
    if (*explain) return explain_placement(options->model, options->board_types, context);
    if (*quantization) return inspect_quantization(options->model, context);
    if (!pattern->empty()) return check_model_pattern(options->model, *pattern, context);
    if (pruning->wanted) {
      pruning->model = options->model;
      if (options->board_types.size() > 1)
        throw Error(ADZE_INVALID_ARGUMENT, "--pruning predicts for one board type");
      if (!options->board_types.empty()) pruning->board_type = options->board_types.front();
      return inspect_pruning(*pruning, context);
    }
    if (profile->wanted) {
      profile->model = options->model;
      if (options->board_types.size() > 1)
        throw Error(ADZE_INVALID_ARGUMENT, "--profile runs for one board type");
      if (!options->board_types.empty()) profile->how.board_type = options->board_types.front();
      return profile_model(*profile, context);
    }
    if (options->board_types.empty()) options->board_types = board_types();
    inspect(*options, context);
  });
}

}  // namespace adze::host
