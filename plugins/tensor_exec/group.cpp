// Which nodes run as one step.
#include <algorithm>
#include <limits>
#include <span>

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
        all_readers_(program.values.size()),
        taken_(program.nodes.size(), false) {
    for (std::uint32_t i = 0; i < program.nodes.size(); ++i)
      for (const std::uint32_t input : program.nodes[i].inputs)
        if (input != ADZE_NONE) {
          ++readers_[input];
          reader_[input] = i;
          all_readers_[input].push_back(i);
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
    Group group{{first}, {}, ADZE_NONE, 0};
    const Operator* found = operator_of(node);
    if (!found) return group;
    if (found->row && take_chain(group)) return group;
    if (found->takes_addend && found->takes_addend(program_, node)) take_addend(group);
    if (found->takes_clamp) take_clamp(group);
    if (found->takes_chain) take_following_chain(group, *found);
    return group;
  }

  static const Operator* operator_of(const Node& node) {
    return node.domain.empty() ? find_operator(node.op) : nullptr;
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

  /// One float that is known now.
  bool is_number(std::uint32_t index) const {
    const Value& value = program_.values[index];
    return value.constant && value.problem.empty() && value.element_type() == DType::f32 &&
           element_count(value.shape) == 1;
  }

  /// What a chain can hold: floats, or integers that stand for floats one by one.
  bool is_link(std::uint32_t index) const {
    const Value& value = program_.values[index];
    return value.problem.empty() && value.dtype == DType::f32 && !value.is_constant() &&
           (!value.quantization || quant8_of(value));
  }

  /// `known`: the value that a chain begins with, and the results in it.
  bool joins_chain(const Node& node, const std::vector<std::uint32_t>& known) const {
    const Operator* found = operator_of(node);
    if (!found || !found->row || node.outputs.size() != 1 || node.outputs.front() == ADZE_NONE)
      return false;
    for (const std::uint32_t input : node.inputs)
      if (input != ADZE_NONE && !is_number(input) && std::ranges::find(known, input) == known.end())
        return false;
    const Value &from = program_.values[known.front()], &to = program_.values[node.outputs.front()];
    return is_link(node.outputs.front()) && to.shape == from.shape &&
           to.batch_axis == from.batch_axis;
  }

  /// The node that reads one of `results` next behind node `last`; nullptr: there is none.
  const Node* next_reader(std::span<const std::uint32_t> results, std::uint32_t last) const {
    std::uint32_t next = ADZE_NONE;
    for (const std::uint32_t result : results)
      for (const std::uint32_t reader : all_readers_[result])
        if (reader > last && reader < next) next = reader;
    return next == ADZE_NONE || taken_[next] ? nullptr : &program_.nodes[next];
  }

  /// Whether none but these nodes read results of theirs other than the last one's, and none but
  /// these read `owned`, if that is a value.
  bool is_closed(std::span<const std::uint32_t> nodes, std::uint32_t owned) const {
    std::vector<std::uint32_t> read;
    for (const std::uint32_t node : nodes) {
      const auto& inputs = program_.nodes[node].inputs;
      read.insert(read.end(), inputs.begin(), inputs.end());
    }
    const auto all_read_here = [&](std::uint32_t value) {
      return std::ranges::count(read, value) == static_cast<std::ptrdiff_t>(readers_[value]);
    };
    return (owned == ADZE_NONE || all_read_here(owned)) &&
           std::ranges::all_of(nodes.first(nodes.size() - 1), [&](std::uint32_t node) {
             return all_read_here(program_.nodes[node].outputs.front());
           });
  }

  /// The longest chain on `source` that begins with node `first`; may be empty. `owns`: no other
  /// node is to read the source, and the result is to be held as it is.
  std::vector<std::uint32_t> chain_from(std::uint32_t source, std::uint32_t first,
                                        bool owns) const {
    constexpr std::size_t kLongestChain = 16;
    std::vector<std::uint32_t> nodes, known{source};
    for (const Node* node = &program_.nodes[first]; node && joins_chain(*node, known);) {
      nodes.push_back(static_cast<std::uint32_t>(node - program_.nodes.data()));
      known.push_back(node->outputs.front());
      if (nodes.size() == kLongestChain) break;
      node = next_reader(std::span(known).subspan(owns ? 0 : 1), nodes.back());
    }
    const auto is_quantized = [&](std::uint32_t value) {
      return program_.values[value].quantization.has_value();
    };
    const auto fits = [&] {
      const std::uint32_t result = program_.nodes[nodes.back()].outputs.front();
      return is_closed(nodes, owns ? source : ADZE_NONE) &&
             (!owns || is_quantized(result) == is_quantized(source));
    };
    while (!nodes.empty() && !fits()) nodes.pop_back();
    return nodes;
  }

  /// False when there is nothing behind the group's node that it could take.
  bool take_chain(Group& group) {
    const std::uint32_t first = group.nodes.front();
    std::uint32_t source = ADZE_NONE;
    for (const std::uint32_t input : program_.nodes[first].inputs)
      if (input != ADZE_NONE && !is_number(input)) source = input;
    if (source == ADZE_NONE || program_.values[source].dtype != DType::f32 ||
        program_.values[source].is_constant())
      return false;
    std::vector<std::uint32_t> nodes = chain_from(source, first, false);
    if (nodes.size() < 2) return false;
    for (const std::uint32_t node : nodes) taken_[node] = true;
    group.chain = nodes.size();
    group.nodes = std::move(nodes);
    return true;
  }

  /// Behind a layer that is computed in the type of its result.
  void take_following_chain(Group& group, const Operator& layer) {
    const std::uint32_t result = result_of(group);
    if (result == ADZE_NONE || !is_link(result) || all_readers_[result].empty()) return;
    const std::uint32_t first = all_readers_[result].front();
    if (taken_[first] || !layer.takes_chain(program_, program_.nodes[group.nodes.front()],
                                            program_.values[result].quantization.has_value()))
      return;
    for (const std::uint32_t node : chain_from(result, first, true)) {
      taken_[node] = true;
      group.nodes.push_back(node);
      ++group.chain;
    }
  }

  const Program& program_;
  std::vector<std::uint32_t> readers_, reader_;  ///< by value: how many nodes read it, and the last
  std::vector<std::vector<std::uint32_t>> all_readers_;
  std::vector<bool> taken_;
};

}  // namespace

std::vector<Group> group_nodes(const Program& program) { return Grouper(program).make(); }

}  // namespace adze::exec
