#include "plugins/drpai/placement.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "plugins/drpai/rules.hpp"

namespace adze::drpai {
namespace {

using exec::Facts;
using exec::Node;
using exec::Program;

bool is_mac_operator(const Node& node) {
  return node.op == "Conv" || node.op == "ConvTranspose" || node.op == "Gemm" ||
         node.op == "MatMul";
}

bool contains(const std::vector<std::string>& list, const std::string& name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

/// Has a grid, or only moves numbers that have one.
bool is_on_grid(const Program& program, const std::vector<std::uint32_t>& producer,
                std::uint32_t value) {
  while (!program.values[value].quantization) {
    if (producer[value] == ADZE_NONE) return false;
    const Node& node = program.nodes[producer[value]];
    const bool moves = node.domain.empty() &&
                       (node.op == "Flatten" || node.op == "Reshape" || node.op == "Transpose" ||
                        node.op == "Squeeze" || node.op == "Unsqueeze" || node.op == "MaxPool" ||
                        node.op == "Identity" || node.op == "Slice" || node.op == "Split");
    if (!moves || node.inputs.empty() || node.inputs[0] == ADZE_NONE) return false;
    value = node.inputs[0];
  }
  return true;
}

/// Of a quantized model: a layer that is not runs in floating point, which the array cannot.
bool is_left_in_float(const Program& program, const std::vector<std::uint32_t>& producer,
                      const Node& node) {
  if (!node.domain.empty() || !is_mac_operator(node)) return false;
  for (std::size_t i = 0; i < 2 && i < node.inputs.size(); ++i)
    if (node.inputs[i] != ADZE_NONE && !is_on_grid(program, producer, node.inputs[i])) return true;
  return false;
}

/// A subgraph of the accelerator cannot need a result of the CPU that needs one of its own. So a
/// node's stage is the number of changes of unit on the longest way to it, and neighbours of the
/// same unit and stage run together.
void cut_into_subgraphs(const Program& program, const std::vector<std::uint32_t>& producer,
                        std::vector<Placement>& placed) {
  std::vector<std::uint32_t> parent(placed.size()), stage(placed.size(), 0);
  std::iota(parent.begin(), parent.end(), 0u);
  const auto root = [&](std::uint32_t node) {
    while (parent[node] != node) node = parent[node] = parent[parent[node]];
    return node;
  };
  for (std::uint32_t i = 0; i < placed.size(); ++i) {
    const auto each_source = [&](const auto& visit) {
      for (const std::uint32_t input : program.nodes[i].inputs)
        if (input != ADZE_NONE && producer[input] != ADZE_NONE) visit(producer[input]);
    };
    if (placed[i].view) {
      bool known = false;
      each_source([&](std::uint32_t from) {
        if (!std::exchange(known, true)) placed[i].unit = placed[from].unit;
      });
    }
    each_source([&](std::uint32_t from) {
      const bool changes =
          placed[from].unit != placed[i].unit && !placed[from].beside && !placed[i].beside;
      stage[i] = std::max(stage[i], stage[from] + (changes ? 1 : 0));
    });
    each_source([&](std::uint32_t from) {
      if (placed[from].unit != placed[i].unit || stage[from] != stage[i]) return;
      const std::uint32_t a = root(i), b = root(from);
      parent[std::max(a, b)] = std::min(a, b);
    });
  }
  for (std::uint32_t i = 0; i < placed.size(); ++i) placed[i].subgraph = root(i);
}

}  // namespace

std::vector<std::uint32_t> producers(const Program& program) {
  std::vector<std::uint32_t> producer(program.values.size(), ADZE_NONE);
  for (std::uint32_t i = 0; i < program.nodes.size(); ++i)
    for (const std::uint32_t output : program.nodes[i].outputs)
      if (output != ADZE_NONE) producer[output] = i;
  return producer;
}

std::vector<Placement> place_nodes(const Program& program, const Facts& facts) {
  const std::vector<std::string> offered = facts.texts("placement.drpai_ops"),
                                 views = facts.texts("placement.view_ops");
  const std::vector<Rule> rules = read_rules(facts);
  const std::vector<std::string> unsupported = exec::unsupported_nodes(program);
  const std::vector<std::uint32_t> producer = producers(program);
  Readers readers(program.values.size());
  for (std::uint32_t i = 0; i < program.nodes.size(); ++i)
    for (const std::uint32_t input : program.nodes[i].inputs)
      if (input != ADZE_NONE) readers[input].push_back(i);

  const bool quantized =
      facts.text("number_format", "") == "int8" &&
      std::any_of(program.values.begin(), program.values.end(),
                  [](const exec::Value& value) { return value.quantization.has_value(); });
  std::vector<Placement> placed(program.nodes.size());
  for (std::size_t i = 0; i < placed.size(); ++i) {
    const Node& node = program.nodes[i];
    const std::string name = node.domain.empty() ? node.op : node.domain + "." + node.op;
    placed[i].emulated = unsupported[i].empty();
    placed[i].view = contains(views, name);
    if (!placed[i].view && !contains(offered, name)) {
      placed[i].reason = "operator " + name + " is not offered by DRP-AI: runs on the CPU";
    } else if (!placed[i].view) {
      const auto rule = std::find_if(rules.begin(), rules.end(), [&](const Rule& candidate) {
        return applies(candidate, program, node, readers);
      });
      if (rule != rules.end()) {
        placed[i].reason = explain(*rule, program, node);
        placed[i].beside = rule->beside;
        placed[i].hand_over_included = rule->hand_over_included;
      } else if (quantized && is_left_in_float(program, producer, node)) {
        placed[i].reason = "left in floating point: runs on the CPU";
      }
    }
    placed[i].unit = placed[i].reason.empty() ? Unit::drpai : Unit::cpu;
  }
  cut_into_subgraphs(program, producer, placed);
  if (facts.flag("placement.subgraph_needs_mac", false)) {
    std::vector<char> has_mac(placed.size(), 0);
    for (std::size_t i = 0; i < placed.size(); ++i)
      if (is_mac_operator(program.nodes[i])) has_mac[placed[i].subgraph] = 1;
    for (Placement& where : placed) {
      if (where.unit != Unit::drpai || where.view || has_mac[where.subgraph]) continue;
      where.unit = Unit::cpu;
      where.reason = "no convolution or matrix product among its neighbours: runs on the CPU";
    }
    cut_into_subgraphs(program, producer, placed);
  }
  for (std::size_t i = 0; i < placed.size(); ++i) {
    if (placed[i].unit == Unit::cpu && placed[i].reason.empty())
      placed[i].reason = "its input is on the CPU: stays there";
    if (placed[i].emulated) continue;
    placed[i].reason +=
        (placed[i].reason.empty() ? "" : "; ") + ("not emulated: " + unsupported[i]);
  }
  return placed;
}

}  // namespace adze::drpai
