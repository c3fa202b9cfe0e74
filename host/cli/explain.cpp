#include "host/cli/explain.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "host/pipeline/board_type.hpp"
#include "host/pipeline/keep_on_accelerator.hpp"

namespace adze::host {
namespace {

using nlohmann::json;

json to_json(const LeavingNode& node) {
  json rewrite;
  if (node.rewrite)
    rewrite = {{"kind", node.rewrite->kind}, {"text", node.rewrite->text}, {"helps", node.helps}};
  return {{"name", node.node}, {"op", node.op}, {"reason", node.reason}, {"rewrite", rewrite}};
}

std::string rewrite_text(const LeavingNode& node) {
  if (!node.rewrite) return "no exact rewrite is known";
  return node.helps ? node.rewrite->text
                    : node.rewrite->text + " (costs more than it saves in this model)";
}

}  // namespace

void explain_placement(const std::filesystem::path& model,
                       const std::vector<std::string>& board_types, Context& context) {
  if (board_types.size() > 1)
    throw Error(ADZE_INVALID_ARGUMENT, "--explain looks at one board type");
  const std::string board_type = board_types.empty() ? "rzv2h" : board_types.front();
  const Graph graph = load_simplified(model);
  const Component backend = context.registry().find("adze.drpai");
  const auto target = load_target(board_type);
  CallOptions call = context.call_options();
  call.target = target.get();
  const KeptOnAccelerator kept = keep_on_accelerator(backend, graph, call, Weights::sketched);

  json nodes = json::array();
  Table table({"node", "operator", "why it leaves the accelerator", "what would keep it there"});
  for (const LeavingNode& node : kept.leaving) {
    nodes.push_back(to_json(node));
    table.row({node.node, node.op, node.reason, rewrite_text(node)});
  }
  const json document = {
      {"model", model.filename().string()},
      {"board_type", board_type},
      {"nodes", nodes},
      {"rewritten", kept.rewritten},
      {"cpu_nodes", {{"before", kept.leaving.size()}, {"after", kept.cpu_nodes}}},
      {"predicted_ms", {{"before", kept.before_ms}, {"after", kept.after_ms}}}};
  std::string text = kept.leaving.empty()
                         ? fmt::format("every node runs on DRP-AI of {}\n", board_type)
                         : table.str();
  if (kept.rewritten > 0)
    text += fmt::format(
        "\nwith these rewrites: {} nodes on the CPU instead of {}, {:.4g} ms predicted instead of "
        "{:.4g} (not verified on hardware); `rewrite = true` in [target] of a recipe applies "
        "them\n",
        kept.cpu_nodes, kept.leaving.size(), kept.after_ms, kept.before_ms);
  context.result(document, text);
}

}  // namespace adze::host
