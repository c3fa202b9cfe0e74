#include "plugins/drpai/rules.hpp"

#include <algorithm>
#include <array>

namespace adze::drpai {
namespace {

using exec::Node;
using exec::Program;
using exec::Shape;

const Shape& shape_of(const Program& program, const Node& node, std::size_t input) {
  static const Shape none;
  if (node.inputs.size() <= input || node.inputs[input] == ADZE_NONE) return none;
  return program.values[node.inputs[input]].shape;
}

std::vector<std::uint32_t> computed_inputs(const Program& program, const Node& node) {
  std::vector<std::uint32_t> computed;
  for (const std::uint32_t input : node.inputs)
    if (input != ADZE_NONE && !program.values[input].is_constant()) computed.push_back(input);
  return computed;
}

struct Question {
  const Rule& rule;
  const Program& program;
  const Node& node;
  const Readers& readers;
};

bool always(const Question&) { return true; }

bool is_depthwise(const Question& q) {
  const Shape &in = shape_of(q.program, q.node, 0), &weights = shape_of(q.program, q.node, 1);
  const std::int64_t groups = q.node.integer("group", 1);
  // Each group has one input and one output channel.
  return groups > 1 && in.size() > 1 && groups == in[1] && !weights.empty() && weights[0] == groups;
}

bool grouped(const Question& q) { return q.node.integer("group", 1) > 1 && !is_depthwise(q); }

bool kernel_not_square(const Question& q) {
  const Shape& weights = shape_of(q.program, q.node, 1);
  return weights.size() == 4 && weights[2] != weights[3];
}

bool not_two_dimensional(const Question& q) { return shape_of(q.program, q.node, 1).size() != 4; }

bool depthwise_kernel_over(const Question& q) {
  const Shape& weights = shape_of(q.program, q.node, 1);
  return is_depthwise(q) && weights.size() > 2 && static_cast<double>(weights[2]) > q.rule.limit;
}

bool broadcast(const Question& q) {
  const std::vector<std::uint32_t> computed = computed_inputs(q.program, q.node);
  return computed.size() == 2 &&
         q.program.values[computed[0]].shape != q.program.values[computed[1]].shape;
}

bool both_computed(const Question& q) { return computed_inputs(q.program, q.node).size() > 1; }

bool pad_by_reflection(const Question& q) { return q.node.text("mode", "constant") == "reflect"; }

bool read_only_by(const Question& q, const auto& accepts) {
  for (const std::uint32_t output : q.node.outputs) {
    if (output == ADZE_NONE) continue;
    for (const std::uint32_t reader : q.readers[output])
      if (!accepts(q.program.nodes[reader])) return false;
  }
  return true;
}

bool without_activation(const Question& q) {
  return !read_only_by(q, [](const Node& reader) {
    return reader.op == "Relu" || reader.op == "Clip" || reader.op == "LeakyRelu";
  });
}

/// x * f(x) is Swish or HardSwish, which the toolchain knows as a whole.
bool outside_swish(const Question& q) {
  return !read_only_by(q, [&](const Node& reader) {
    return reader.op == "Mul" && std::find(reader.inputs.begin(), reader.inputs.end(),
                                           q.node.inputs[0]) != reader.inputs.end();
  });
}

/// Reads every second, third, ... element along an axis, as when an image is cut into a smaller one
/// of more channels.
bool without_step(const Question& q) {
  if (q.node.inputs.size() < 5 || q.node.inputs[4] == ADZE_NONE) return true;
  if (!q.program.values[q.node.inputs[4]].constant) return true;
  const std::vector<std::int64_t> numbers = q.program.integers(q.node.inputs[4]);
  return std::all_of(numbers.begin(), numbers.end(), [](std::int64_t n) { return n == 1; });
}

/// Computes elements between others; one element spread over a plane is only copied.
bool interpolating(const Question& q) {
  const Shape& in = shape_of(q.program, q.node, 0);
  const bool single = in.size() == 4 && in[2] == 1 && in[3] == 1;
  return q.node.text("mode", "nearest") != "nearest" && !single;
}

struct Condition {
  const char* name;
  bool (*holds)(const Question&);
};

constexpr std::array<Condition, 12> kConditions = {
    {{"always", always},
     {"grouped", grouped},
     {"kernel_not_square", kernel_not_square},
     {"not_two_dimensional", not_two_dimensional},
     {"depthwise_kernel_over", depthwise_kernel_over},
     {"broadcast", broadcast},
     {"both_computed", both_computed},
     {"pad_by_reflection", pad_by_reflection},
     {"without_activation", without_activation},
     {"without_step", without_step},
     {"interpolating", interpolating},
     {"outside_swish", outside_swish}}};

const Condition* find_condition(const std::string& name) {
  const auto found = std::find_if(kConditions.begin(), kConditions.end(),
                                  [&](const Condition& known) { return known.name == name; });
  return found == kConditions.end() ? nullptr : &*found;
}

void fill_in(std::string& text, const std::string& name, const std::string& value) {
  for (std::size_t at = text.find(name); at != std::string::npos; at = text.find(name, at))
    text.replace(at, name.size(), value), at += value.size();
}

}  // namespace

std::vector<Rule> read_rules(const exec::Facts& facts) {
  std::vector<Rule> rules;
  for (std::size_t i = 0;; ++i) {
    const std::string prefix = "placement.rule." + std::to_string(i) + ".";
    Rule rule;
    rule.ops = facts.texts((prefix + "ops").c_str());
    if (rule.ops.empty()) return rules;
    rule.when = facts.text((prefix + "when").c_str(), "always");
    rule.limit = facts.number((prefix + "limit").c_str(), 0);
    rule.reason = facts.text((prefix + "reason").c_str(), "{op}");
    rule.beside = facts.flag((prefix + "beside").c_str(), false);
    rule.hand_over_included = facts.flag((prefix + "hand_over_included").c_str(), false);
    if (!find_condition(rule.when)) {
      std::string known;
      for (const Condition& condition : kConditions)
        known += (known.empty() ? "" : ", ") + std::string(condition.name);
      throw Error(ADZE_INVALID_ARGUMENT, "placement rule " + std::to_string(i + 1) +
                                             " of the board type: no condition '" + rule.when +
                                             "' among " + known);
    }
    rules.push_back(std::move(rule));
  }
}

bool applies(const Rule& rule, const Program& program, const Node& node, const Readers& readers) {
  return std::find(rule.ops.begin(), rule.ops.end(), node.op) != rule.ops.end() &&
         find_condition(rule.when)->holds({rule, program, node, readers});
}

std::string explain(const Rule& rule, const Program& program, const Node& node) {
  std::string text = rule.reason;
  const Shape& weights = shape_of(program, node, 1);
  std::string kernel, shapes;
  for (std::size_t axis = 2; axis < weights.size(); ++axis)
    kernel += (kernel.empty() ? "" : "x") + std::to_string(weights[axis]);
  for (const std::uint32_t input : computed_inputs(program, node))
    shapes += (shapes.empty() ? "" : " and ") + exec::to_string(program.values[input].shape);
  fill_in(text, "{op}", node.op);
  fill_in(text, "{groups}", std::to_string(node.integer("group", 1)));
  fill_in(text, "{kernel}", kernel);
  fill_in(text, "{shapes}", shapes);
  fill_in(text, "{mode}", node.text("mode", "nearest"));
  return text + ": runs on the CPU";
}

}  // namespace adze::drpai
