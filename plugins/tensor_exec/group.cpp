// Which nodes run as one step.
#include <algorithm>

#include "plugins/tensor_exec/plan.hpp"

namespace adze::exec {

std::optional<Clamp> clamp_of(const Program& program, const Node& node) {
  Clamp clamp;
  if (!node.domain.empty()) return std::nullopt;
  if (node.op == "Relu") {
    clamp.low = 0;
    return clamp;
  }
  if (node.op != "Clip") return std::nullopt;
  if (node.op_version < 11) {
    clamp.low = static_cast<float>(node.number("min", clamp.low));
    clamp.high = static_cast<float>(node.number("max", clamp.high));
    return clamp;
  }
  for (std::size_t i = 1; i < 3 && i < node.inputs.size(); ++i) {
    if (node.inputs[i] == ADZE_NONE) continue;
    if (!program.values[node.inputs[i]].constant) return std::nullopt;
    const std::vector<float> limit = program.floats(node.inputs[i]);
    if (limit.size() != 1) return std::nullopt;
    (i == 1 ? clamp.low : clamp.high) = limit.front();
  }
  return clamp;
}

std::vector<Group> group_nodes(const Program& program) {
  std::vector<std::uint32_t> readers(program.values.size(), 0);
  std::vector<std::uint32_t> reader(program.values.size(), ADZE_NONE);
  for (std::uint32_t i = 0; i < program.nodes.size(); ++i)
    for (const std::uint32_t input : program.nodes[i].inputs)
      if (input != ADZE_NONE) {
        ++readers[input];
        reader[input] = i;
      }
  for (const auto* list : {&program.outputs, &program.extra_outputs})
    for (const std::uint32_t output : *list) ++readers[output];

  std::vector<Group> groups;
  std::vector<char> taken(program.nodes.size(), 0);
  for (std::uint32_t i = 0; i < program.nodes.size(); ++i) {
    if (taken[i]) continue;
    const Node& node = program.nodes[i];
    Group group{{i}, {}};
    const Operator* found = node.domain.empty() ? find_operator(node.op) : nullptr;
    const std::uint32_t result = node.outputs.front();
    if (found && found->takes_clamp && result != ADZE_NONE && readers[result] == 1 &&
        reader[result] != ADZE_NONE && !program.values[result].quantization &&
        program.values[result].dtype == DType::f32) {
      const std::uint32_t next = reader[result];
      const Node& follower = program.nodes[next];
      // The value must be what is limited, not a limit.
      if (const auto clamp = clamp_of(program, follower);
          clamp && follower.inputs.front() == result) {
        group.nodes.push_back(next);
        group.clamp = *clamp;
        taken[next] = 1;
      }
    }
    groups.push_back(std::move(group));
  }
  return groups;
}

}  // namespace adze::exec
