#include "plugins/quantization/plan.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace ptq {
namespace {

constexpr std::array<std::string_view, 16> kComputing = {
    "Conv",       "Gemm",   "MatMul",      "Add",      "AveragePool", "GlobalAveragePool",
    "ReduceMean", "Concat", "Relu",        "Clip",     "LeakyRelu",   "Sigmoid",
    "Resize",     "Mul",    "HardSigmoid", "HardSwish"};
constexpr std::array<std::string_view, 12> kMoving = {
    "MaxPool",   "GlobalMaxPool", "Flatten",      "Reshape", "Transpose", "Squeeze",
    "Unsqueeze", "Identity",      "DepthToSpace", "Slice",   "Split",     "SpaceToDepth"};
constexpr std::array<std::string_view, 4> kFusing = {"Conv", "Gemm", "MatMul", "Add"};

template <class List, class One>
bool one_of(const List& list, const One& one) {
  return std::find(list.begin(), list.end(), one) != list.end();
}

class Planner {
 public:
  Planner(const adze_graph& graph, const std::vector<bool>& left_float,
          const std::vector<bool>& decoding)
      : graph_(graph),
        decoding_(decoding),
        target_(graph.node_count, false),
        wanted_(graph.value_count, false),
        planned_(graph.value_count, false) {
    const auto in = [](const std::vector<bool>& nodes, std::uint32_t node) {
      return node < nodes.size() && nodes[node];
    };
    for (const std::uint32_t node : adze::targets(graph))
      target_[node] = !in(left_float, node) && !in(decoding, node);
  }

  Plan make() {
    for (std::uint32_t node = 0; node < graph_.node_count; ++node)
      if (computes(node)) want_around(node);
    // What is wanted behind a rearrangement is wanted before it, where it costs no second grid.
    for (std::uint32_t node = graph_.node_count; node-- > 0;)
      if (moves(node) && any_output_wanted(node) && is_activation(input(node, 0)))
        wanted_[input(node, 0)] = true;
    for (std::uint32_t i = 0; i < graph_.input_count; ++i) take_up(graph_.inputs[i]);
    for (std::uint32_t node = 0; node < graph_.node_count; ++node) add_results(node);
    for (std::uint32_t value = 0; value < graph_.value_count; ++value)
      if (wanted_[value] && graph_.values[value]->constant) plan_.constants.push_back(value);
    for (std::uint32_t node = 0; node < graph_.node_count; ++node)
      if (computes(node)) add_weight(node);
    add_same_scale();
    return std::move(plan_);
  }

 private:
  const adze_node& node_at(std::uint32_t node) const { return *graph_.nodes[node]; }
  bool is_onnx(std::uint32_t node) const { return std::string_view(node_at(node).domain).empty(); }
  std::uint32_t input(std::uint32_t node, std::uint32_t index) const {
    return index < node_at(node).input_count ? node_at(node).inputs[index] : ADZE_NONE;
  }
  bool is_float(std::uint32_t value) const {
    return value != ADZE_NONE && graph_.values[value]->code == ADZE_FLOAT;
  }
  bool is_activation(std::uint32_t value) const {
    return is_float(value) && !graph_.values[value]->constant;
  }
  bool is_output(std::uint32_t value) const {
    return (graph_.values[value]->flags & ADZE_VALUE_OUTPUT) != 0;
  }

  bool has_computed_weight(std::uint32_t node) const {
    const std::string_view op = node_at(node).op;
    return (op == "Conv" || op == "Gemm") && adze::weight_of(graph_, node_at(node)) == ADZE_NONE;
  }
  /// A gate or an attention; a product with a constant is part of some float arithmetic.
  bool is_other_product(std::uint32_t node) const {
    return std::string_view(node_at(node).op) == "Mul" &&
           !(is_activation(input(node, 0)) && is_activation(input(node, 1)));
  }
  bool computes(std::uint32_t node) const {
    return target_[node] && is_onnx(node) && one_of(kComputing, node_at(node).op) &&
           is_activation(input(node, 0)) && !has_computed_weight(node) && !is_other_product(node);
  }
  bool moves(std::uint32_t node) const {
    return target_[node] && is_onnx(node) && one_of(kMoving, node_at(node).op) &&
           is_activation(input(node, 0));
  }

  /// Inputs beyond these are shapes, bounds, weights or biases.
  std::uint32_t data_inputs(std::uint32_t node) const {
    const std::string_view op = node_at(node).op;
    if (op == "Add" || op == "Concat" || op == "Mul") return node_at(node).input_count;
    if (op == "MatMul" && adze::weight_of(graph_, node_at(node)) == ADZE_NONE) return 2;
    return 1;
  }

  /// The result of `node` is read by one Relu or Clip alone, which runs with it.
  bool is_fused_into_reader(std::uint32_t node) const {
    if (!one_of(kFusing, node_at(node).op)) return false;
    const std::uint32_t result = node_at(node).outputs[0];
    const adze_value& value = *graph_.values[result];
    if (value.consumer_count != 1 || is_output(result)) return false;
    const std::uint32_t reader = value.consumers[0];
    const std::string_view op = node_at(reader).op;
    return computes(reader) && (op == "Relu" || op == "Clip") && input(reader, 0) == result;
  }

  void want_around(std::uint32_t node) {
    for (std::uint32_t i = 0; i < data_inputs(node); ++i) {
      const std::uint32_t value = input(node, i);
      if (!is_float(value)) continue;
      const std::uint32_t producer = graph_.values[value]->producer;
      const bool fused =
          producer != ADZE_NONE && computes(producer) && is_fused_into_reader(producer);
      if (!fused) wanted_[value] = true;
    }
    const std::uint32_t result = node_at(node).outputs[0];
    if (!leaves_as_it_is(result) && !is_fused_into_reader(node)) wanted_[result] = true;
  }

  /// A result of the model, also where it is decoded first.
  bool leaves_as_it_is(std::uint32_t value) const {
    if (is_output(value)) return true;
    const adze_value& shown = *graph_.values[value];
    bool all = shown.consumer_count > 0;
    for (std::uint64_t i = 0; i < shown.consumer_count && all; ++i) {
      const std::uint32_t reader = shown.consumers[i];
      all = (reader < decoding_.size() && decoding_[reader]) ||
            (moves(reader) && leaves_as_it_is(node_at(reader).outputs[0]));
    }
    return all;
  }

  bool any_output_wanted(std::uint32_t node) const {
    for (std::uint32_t i = 0; i < node_at(node).output_count; ++i)
      if (node_at(node).outputs[i] != ADZE_NONE && wanted_[node_at(node).outputs[i]]) return true;
    return false;
  }

  void take_up(std::uint32_t value) {
    if (!wanted_[value] || planned_[value] || graph_.values[value]->constant) return;
    planned_[value] = true;
    plan_.measured.push_back(value);
  }

  void add_results(std::uint32_t node) {
    const bool passes_on = moves(node) && planned_[input(node, 0)];
    for (std::uint32_t i = 0; i < node_at(node).output_count; ++i) {
      const std::uint32_t value = node_at(node).outputs[i];
      if (value == ADZE_NONE) continue;
      if (passes_on && is_float(value) && (!is_output(value) || wanted_[value])) {
        planned_[value] = true;
        plan_.shared.emplace_back(value, input(node, 0));
      } else {
        take_up(value);
      }
    }
  }

  void add_weight(std::uint32_t node) {
    const std::uint32_t weight = adze::weight_of(graph_, node_at(node));
    if (weight == ADZE_NONE || graph_.values[weight]->constant->ndim < 2) return;
    const bool known = std::any_of(plan_.weights.begin(), plan_.weights.end(),
                                   [&](const WeightPlan& one) { return one.weight == weight; });
    if (known) return;
    WeightPlan plan{.node = node, .weight = weight, .input = input(node, 0)};
    const std::string_view op = node_at(node).op;
    if (op != "MatMul" && input(node, 2) != ADZE_NONE &&
        !adze::f32(graph_.values[input(node, 2)]->constant).empty())
      plan.bias = input(node, 2);
    bool by_output = op == "Conv";
    if (op == "Gemm")
      for (std::uint64_t i = 0; i < node_at(node).attribute_count; ++i) {
        const adze_property& attribute = *node_at(node).attributes[i];
        if (std::string_view(attribute.name) == "transB" && attribute.i64)
          by_output = attribute.i64[0] != 0;
      }
    plan.axis = by_output ? 0 : graph_.values[weight]->constant->ndim - 1;
    plan_.weights.push_back(plan);
  }

  /// The value that brings the grid which `value` has; ADZE_NONE: it has none.
  std::uint32_t source_of(std::uint32_t value) const {
    for (auto shared = plan_.shared.rbegin(); shared != plan_.shared.rend(); ++shared)
      if (shared->first == value) value = shared->second;
    return wanted_[value] || planned_[value] ? value : ADZE_NONE;
  }

  void add_same_scale() {
    for (std::uint32_t node = 0; node < graph_.node_count; ++node) {
      const std::string_view op = node_at(node).op;
      if (!computes(node) || (op != "Add" && op != "Concat")) continue;
      std::vector<std::uint32_t> values;
      for (std::uint32_t i = 0; i < node_at(node).input_count; ++i)
        if (is_float(input(node, i))) values.push_back(source_of(input(node, i)));
      if (op == "Concat") values.push_back(source_of(node_at(node).outputs[0]));
      std::erase(values, ADZE_NONE);
      join_same_scale(std::move(values));
    }
  }

  /// With the lists that any of `values` is in already.
  void join_same_scale(std::vector<std::uint32_t> values) {
    std::erase_if(plan_.same_scale, [&](const std::vector<std::uint32_t>& list) {
      const bool meets = std::any_of(list.begin(), list.end(),
                                     [&](std::uint32_t value) { return one_of(values, value); });
      if (meets) values.insert(values.end(), list.begin(), list.end());
      return meets;
    });
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
    if (values.size() > 1) plan_.same_scale.push_back(std::move(values));
  }

  const adze_graph& graph_;
  const std::vector<bool>& decoding_;   ///< by node
  std::vector<bool> target_;            ///< by node
  std::vector<bool> wanted_, planned_;  ///< by value
  Plan plan_;
};

}  // namespace

Plan make_plan(const adze_graph& graph, const std::vector<bool>& left_float,
               const std::vector<bool>& decoding) {
  return Planner(graph, left_float, decoding).make();
}

}  // namespace ptq
