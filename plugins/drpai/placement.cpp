#include "plugins/drpai/placement.hpp"

#include <algorithm>
#include <numeric>

namespace adze::drpai {
namespace {

using exec::Facts;
using exec::Node;
using exec::Program;

bool is_mac_operator(const Node& node) {
  return node.op == "Conv" || node.op == "ConvTranspose" || node.op == "Gemm" ||
         node.op == "MatMul";
}

/// Why the rules of the board type send a node to the CPU; empty: they do not.
std::string rule_against(const Program& program, const Node& node, const Facts& facts,
                         const std::vector<std::string>& offered) {
  const std::string name = node.domain.empty() ? node.op : node.domain + "." + node.op;
  if (std::find(offered.begin(), offered.end(), name) == offered.end())
    return "operator " + name + " is not offered by DRP-AI: runs on the CPU";
  const auto shape = [&](std::size_t input) -> const exec::Shape& {
    return program.values[node.inputs[input]].shape;
  };
  if (node.op == "Conv" && facts.text("placement.grouped_conv", "drpai") == "cpu") {
    const std::int64_t groups = node.integer("group", 1);
    const bool depthwise = shape(0).size() > 1 && groups == shape(0)[1];
    if (groups > 1 && !depthwise)
      return "grouped convolution, " + std::to_string(groups) + " groups: runs on the CPU";
  }
  if (node.op == "Mul" && facts.text("placement.broadcast_mul", "drpai") == "cpu" &&
      node.inputs.size() == 2) {
    const bool computed = !program.values[node.inputs[0]].is_constant() &&
                          !program.values[node.inputs[1]].is_constant();
    if (computed && shape(0) != shape(1))
      return "multiplication of " + exec::to_string(shape(0)) + " by " + exec::to_string(shape(1)) +
             " (as in squeeze-and-excite): runs on the CPU";
  }
  return {};
}

/// Neighbouring nodes on DRP-AI form subgraphs; each node gets the smallest index of its own.
std::vector<std::size_t> subgraphs(const Program& program, const std::vector<Placement>& placed) {
  std::vector<std::size_t> parent(program.nodes.size());
  std::iota(parent.begin(), parent.end(), std::size_t{0});
  const auto root = [&](std::size_t node) {
    while (parent[node] != node) node = parent[node];
    return node;
  };
  std::vector<std::size_t> producer(program.values.size(), ADZE_NONE);
  for (std::size_t i = 0; i < program.nodes.size(); ++i) {
    for (const std::uint32_t input : program.nodes[i].inputs) {
      if (input == ADZE_NONE || producer[input] == ADZE_NONE) continue;
      if (placed[i].unit != Unit::drpai || placed[producer[input]].unit != Unit::drpai) continue;
      const std::size_t a = root(i), b = root(producer[input]);
      parent[std::max(a, b)] = std::min(a, b);
    }
    for (const std::uint32_t output : program.nodes[i].outputs)
      if (output != ADZE_NONE) producer[output] = i;
  }
  for (std::size_t i = 0; i < parent.size(); ++i) parent[i] = root(i);
  return parent;
}

}  // namespace

std::vector<Placement> place_nodes(const Program& program, const Facts& facts) {
  const std::vector<std::string> offered = facts.texts("placement.drpai_ops");
  const std::vector<std::string> unsupported = exec::unsupported_nodes(program);
  std::vector<Placement> placed(program.nodes.size());
  for (std::size_t i = 0; i < placed.size(); ++i) {
    placed[i].emulated = unsupported[i].empty();
    placed[i].reason = rule_against(program, program.nodes[i], facts, offered);
    if (!placed[i].emulated) {
      if (placed[i].reason.empty()) placed[i].reason = "runs on the CPU";
      placed[i].reason += "; not emulated: " + unsupported[i];
    }
    placed[i].unit = placed[i].reason.empty() ? Unit::drpai : Unit::cpu;
  }
  if (!facts.flag("placement.subgraph_needs_mac", false)) return placed;
  const std::vector<std::size_t> subgraph = subgraphs(program, placed);
  std::vector<char> has_mac(placed.size(), 0);
  for (std::size_t i = 0; i < placed.size(); ++i)
    if (is_mac_operator(program.nodes[i])) has_mac[subgraph[i]] = 1;
  for (std::size_t i = 0; i < placed.size(); ++i) {
    if (placed[i].unit != Unit::drpai || has_mac[subgraph[i]]) continue;
    placed[i].unit = Unit::cpu;
    placed[i].reason = "no convolution or matrix product among its neighbours: runs on the CPU";
  }
  return placed;
}

}  // namespace adze::drpai
