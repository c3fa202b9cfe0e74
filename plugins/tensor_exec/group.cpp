// Which nodes run as one step.
#include <algorithm>
#include <limits>

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

namespace {

/// oneDNN refuses limits that leave no number: a Clip with them stays a step of its own.
bool is_interval(const Clamp& clamp) {
  constexpr float kMax = std::numeric_limits<float>::max();
  return clamp.low <= clamp.high && clamp.low <= kMax && clamp.high >= -kMax;
}

class Grouper {
 public:
  explicit Grouper(const Program& program)
      : program_(program),
        readers_(program.values.size(), 0),
        reader_(program.values.size(), ADZE_NONE),
        taken_(program.nodes.size(), false) {
    for (std::uint32_t i = 0; i < program.nodes.size(); ++i)
      for (const std::uint32_t input : program.nodes[i].inputs)
        if (input != ADZE_NONE) {
          ++readers_[input];
          reader_[input] = i;
        }
    for (const auto* list : {&program.outputs, &program.extra_outputs})
      for (const std::uint32_t output : *list) ++readers_[output];
  }

  std::vector<Group> make() {
    std::vector<Group> groups;
    for (std::uint32_t i = 0; i < program_.nodes.size(); ++i)
      if (!taken_[i]) groups.push_back(group_from(i));
    // Where its last node stands, all that a group reads is there.
    std::ranges::stable_sort(groups, {}, [](const Group& group) { return group.nodes.back(); });
    return groups;
  }

 private:
  Group group_from(std::uint32_t first) {
    const Node& node = program_.nodes[first];
    Group group{{first}, {}, ADZE_NONE};
    const Operator* found = node.domain.empty() ? find_operator(node.op) : nullptr;
    if (!found) return group;
    if (found->takes_addend && found->takes_addend(program_, node)) take_addend(group);
    if (found->takes_clamp) take_clamp(group);
    return group;
  }

  /// The one node that reads the group's result, which nothing else sees; nullptr: there is none.
  const Node* follower(const Group& group) const {
    const std::uint32_t result = result_of(group);
    if (result == ADZE_NONE || readers_[result] != 1 || reader_[result] == ADZE_NONE ||
        program_.values[result].quantization || program_.values[result].dtype != DType::f32 ||
        taken_[reader_[result]])
      return nullptr;
    return &program_.nodes[reader_[result]];
  }

  std::uint32_t result_of(const Group& group) const {
    return program_.nodes[group.nodes.back()].outputs.front();
  }

  void take(Group& group, const Node& next) {
    group.nodes.push_back(static_cast<std::uint32_t>(&next - program_.nodes.data()));
    taken_[group.nodes.back()] = true;
  }

  void take_addend(Group& group) {
    const Node* next = follower(group);
    if (!next || next->op != "Add" || !next->domain.empty() || next->inputs.size() != 2) return;
    const std::uint32_t result = result_of(group);
    const std::uint32_t addend = next->inputs[next->inputs[0] == result ? 1 : 0];
    const std::uint32_t sum = next->outputs.front();
    if (addend == ADZE_NONE || addend == result || sum == ADZE_NONE) return;
    const auto fits = [&](std::uint32_t index) {
      const Value &value = program_.values[index], &own = program_.values[result];
      return value.problem.empty() && value.dtype == DType::f32 && !value.is_constant() &&
             value.shape == own.shape && value.batch_axis == own.batch_axis;
    };
    if (!fits(addend) || !fits(sum)) return;
    group.addend = addend;
    take(group, *next);
  }

  void take_clamp(Group& group) {
    const Node* next = follower(group);
    if (!next) return;
    // The value must be what is limited, not a limit.
    const auto clamp = clamp_of(program_, *next);
    if (!clamp || !is_interval(*clamp) || next->inputs.front() != result_of(group)) return;
    group.clamp = *clamp;
    take(group, *next);
  }

  const Program& program_;
  std::vector<std::uint32_t> readers_, reader_;  ///< by value: how many nodes read it, and the last
  std::vector<bool> taken_;
};

}  // namespace

std::vector<Group> group_nodes(const Program& program) { return Grouper(program).make(); }

}  // namespace adze::exec
