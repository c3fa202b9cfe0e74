#include "plugins/drpai/latency.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

namespace adze::drpai {
namespace {

using exec::Facts;
using exec::Node;
using exec::Program;
using exec::Shape;

constexpr std::array<const char*, kTerms> kCosts = {"cost.ai_mac.start_ms",
                                                    "cost.ai_mac.ms_per_gmac",
                                                    "cost.ai_mac.ms_per_million_elements",
                                                    "cost.ai_mac.ms_per_million_weights",
                                                    "cost.ai_mac.ms_per_million_depthwise_elements",
                                                    "cost.drp.ms_per_node",
                                                    "cost.drp.ms_per_million_elements",
                                                    "cost.drp.ms_per_million_norm_elements",
                                                    "cost.drp.ms_per_million_swish_elements",
                                                    "cost.cpu.start_ms",
                                                    "cost.cpu.ms_per_gmac",
                                                    "cost.cpu.ms_per_depthwise_gmac",
                                                    "cost.cpu.ms_per_million_conv_elements",
                                                    "cost.cpu.ms_per_million_broadcast_elements",
                                                    "cost.cpu.ms_per_split_piece",
                                                    "cost.cpu.ms_per_concat_piece",
                                                    "cost.cpu.ms_per_million_resized_elements",
                                                    "cost.hand_over.ms_each",
                                                    "cost.hand_over.ms_per_million_elements"};

double figure(const Facts& facts, const char* name) {
  const double value = facts.number(name, -1);
  if (value < 0)
    throw Error(ADZE_FAILED_PRECONDITION, std::string("the board type does not say '") + name +
                                              "', which a predicted latency needs");
  return value;
}

double elements(const exec::Value& value) {
  return static_cast<double>(exec::element_count(value.shape));
}

bool is_one_of(const Node& node, std::initializer_list<const char*> ops) {
  return std::any_of(ops.begin(), ops.end(), [&](const char* op) { return node.op == op; });
}

double rounded_up(double value, double multiple) { return std::ceil(value / multiple) * multiple; }

/// The Sigmoid of x * sigmoid(x); ADZE_NONE when `node` is something else.
std::uint32_t gate_of_swish(const Program& program, const Node& node,
                            const std::vector<std::uint32_t>& producer) {
  if (node.op != "Mul" || node.inputs.size() != 2) return ADZE_NONE;
  for (const std::size_t side : {0, 1}) {
    const std::uint32_t gated = node.inputs[side], gate = producer[node.inputs[1 - side]];
    if (gate != ADZE_NONE && program.nodes[gate].op == "Sigmoid" &&
        program.nodes[gate].inputs[0] == gated)
      return gate;
  }
  return ADZE_NONE;
}

/// All sizes of the weights of a product but the output channels.
double depth_of(const Node& node, const Shape& weights) {
  const std::size_t rank = weights.size();
  if (rank < 2) return 1;
  if (node.op == "Gemm" && node.integer("transB", 0) != 0) return static_cast<double>(weights[1]);
  return static_cast<double>(weights[rank - 2]);
}

}  // namespace

void LatencyModel::read_figures(const Facts& facts) {
  for (std::size_t term = 0; term < kTerms; ++term) figures_.ms[term] = figure(facts, kCosts[term]);
  // Only the products follow the clock of the array; memory and the other units have their own.
  if (facts.has("clock.ai_mhz"))
    figures_.ms[static_cast<std::size_t>(Term::macs)] *=
        figure(facts, "cost.fitted_at_mhz") / std::max(figure(facts, "clock.ai_mhz"), 1.0);
  figures_.input_lanes = std::max(figure(facts, "compute.input_lanes"), 1.0);
  figures_.output_lanes = std::max(figure(facts, "compute.output_lanes"), 1.0);
  figures_.cpu_elements_per_ms = figure(facts, "cpu.stream_gb_per_s") * 1e6 /
                                 std::max(figure(facts, "cpu.element_bytes"), 1.0);
  figures_.add_behind = facts.texts("placement.add_behind");
  figures_.sparse = facts.flag("sparse.supported", false);
  if (!figures_.sparse) return;
  figures_.sparse_floor = figure(facts, "sparse.floor");
  figures_.sparse_weight_bytes = figure(facts, "sparse.bytes_per_kept_weight");
}

LatencyModel::LatencyModel(const adze_graph& graph, const Facts& facts) : graph_(graph) {
  const Program program =
      exec::make_program(graph, exec::Rounding::half_even, exec::Contents::small);
  placed_ = place_nodes(program, facts);
  read_figures(facts);
  works_.resize(program.nodes.size());
  const std::vector<std::uint32_t> producer = producers(program);
  for (std::uint32_t i = 0; i < program.nodes.size(); ++i) {
    if (placed_[i].view) continue;
    const Node& node = program.nodes[i];
    double in = 0, out = 0;
    for (const std::uint32_t output : node.outputs)
      if (output != ADZE_NONE) out += elements(program.values[output]);
    for (const std::uint32_t input : node.inputs)
      if (input != ADZE_NONE && !program.values[input].is_constant())
        in += elements(program.values[input]);
    works_[i].elements = in + out;
    const bool layer = is_one_of(node, {"Conv", "ConvTranspose", "Gemm", "MatMul"});
    if (node.domain.empty() && layer && node.inputs.size() > 1 && node.inputs[1] != ADZE_NONE)
      add_convolution(program, i, in, out);
    else
      add_other(program, i, in, out, producer);
  }
  add_hand_overs(program, producer);
  // The first node of each unit carries the start.
  const auto first = [&](Unit unit, Term term) {
    const auto found = std::find_if(placed_.begin(), placed_.end(), [&](const Placement& where) {
      return where.unit == unit && !where.view;
    });
    if (found != placed_.end()) works_[static_cast<std::size_t>(found - placed_.begin())][term] = 1;
  };
  first(Unit::drpai, Term::start);
  first(Unit::cpu, Term::cpu_start);
}

void LatencyModel::add_convolution(const Program& program, std::uint32_t index, double in,
                                   double out) {
  const Node& node = program.nodes[index];
  Work& work = works_[index];
  const exec::Value& weights = program.values[node.inputs[1]];
  const Shape& shape = weights.shape;
  if (weights.is_constant()) {
    work.weights = elements(weights);
    work.weight_value = node.inputs[1];
  }
  const bool transposed = node.op == "ConvTranspose";
  if (!transposed && node.op != "Conv") {
    const double macs = out * depth_of(node, shape) / 1e9;
    if (placed_[index].unit == Unit::cpu) {
      work[Term::cpu_macs] = macs;
      work.copied = in + out + work.weights;
      return;
    }
    // One row of a fully connected layer is bound by reading the weights.
    const double rows = out / std::max(work.weights / depth_of(node, shape), 1.0);
    if (rows > 1) work[Term::macs] = macs;
    work[Term::weights] = work.weights / 1e6;
    work.prunable = figures_.sparse && work.weights > 0;
    return;
  }
  if (shape.size() < 3) return;
  double taps = 1;
  for (std::size_t axis = 2; axis < shape.size(); ++axis) taps *= static_cast<double>(shape[axis]);
  const auto groups = static_cast<double>(node.integer("group", 1));
  const auto outer = static_cast<double>(shape[0]), inner = static_cast<double>(shape[1]);
  // Where the kernel is applied: outputs of Conv, inputs of ConvTranspose.
  const double places = (transposed ? in : out) / std::max(outer, 1.0);
  const bool depthwise = groups > 1 && inner == 1 && outer == groups;
  if (placed_[index].unit == Unit::cpu) {
    work[depthwise ? Term::cpu_depthwise_macs : Term::cpu_macs] =
        places * outer * inner * taps / 1e9;
    work[Term::cpu_conv_elements] = (in + out) / 1e6;
  } else if (groups > 1) {
    work[Term::depthwise_elements] = (in + out) / 1e6;
  } else {
    const double inputs = transposed ? outer : inner, outputs = transposed ? inner : outer;
    work[Term::macs] = places * rounded_up(inputs, figures_.input_lanes) *
                       rounded_up(outputs, figures_.output_lanes) * taps / 1e9;
    work[Term::conv_elements] = (in + out) / 1e6;
    work[Term::weights] = work.weights / 1e6;
    work.prunable = figures_.sparse && work.weights > 0;
  }
}

void LatencyModel::add_other(const Program& program, std::uint32_t index, double in, double out,
                             const std::vector<std::uint32_t>& producer) {
  const Node& node = program.nodes[index];
  Work& work = works_[index];
  std::vector<std::uint32_t> computed;
  for (const std::uint32_t input : node.inputs)
    if (input != ADZE_NONE && !program.values[input].is_constant()) computed.push_back(input);
  if (node.op == "BatchNormalization" &&
      (placed_[index].unit == Unit::drpai || placed_[index].hand_over_included)) {
    work[Term::drp_nodes] = 1;
    work[Term::norm_elements] = (in + out) / 1e6;
    return;
  }
  if (placed_[index].unit == Unit::cpu) {
    work.copied = in + out;
    if (node.op == "Split") work[Term::split_pieces] = static_cast<double>(node.outputs.size());
    if (node.op == "Concat") work[Term::concat_pieces] = static_cast<double>(computed.size());
    if (node.op == "Resize") work[Term::resized_elements] = out / 1e6;
    if (computed.size() == 2 &&
        program.values[computed[0]].shape != program.values[computed[1]].shape)
      work[Term::broadcast_elements] = out / 1e6;
    return;
  }
  // What the toolchain fuses into the operator before it, when both are in one subgraph.
  const auto behind = [&](std::uint32_t input, const auto& ops) {
    const std::uint32_t from = producer[input];
    return from != ADZE_NONE &&
           (placed_[from].subgraph == placed_[index].subgraph ||
            placed_[from].hand_over_included) &&
           std::any_of(std::begin(ops), std::end(ops),
                       [&](const auto& op) { return program.nodes[from].op == op; });
  };
  constexpr std::array kBeforeActivation = {"Conv", "ConvTranspose", "Add",
                                            "Sum",  "Gemm",          "BatchNormalization"};
  // One step with the Sigmoid, which then costs nothing of its own.
  if (const std::uint32_t gate = gate_of_swish(program, node, producer);
      gate != ADZE_NONE && placed_[gate].subgraph == placed_[index].subgraph) {
    works_[gate].terms.fill(0);
    work[Term::swish_elements] = out / 1e6;
    return;
  }
  if (is_one_of(node, {"Relu", "Clip", "LeakyRelu"}) && !computed.empty() &&
      behind(computed[0], kBeforeActivation))
    return;
  if (is_one_of(node, {"Add", "Sum"}) &&
      std::any_of(computed.begin(), computed.end(),
                  [&](std::uint32_t input) { return behind(input, figures_.add_behind); }))
    return;
  work[Term::drp_nodes] = 1;
  if (node.op != "Concat")  // parts are written where the whole will be
    work[Term::drp_elements] = (in + out) / 1e6;
}

void LatencyModel::add_hand_overs(const Program& program,
                                  const std::vector<std::uint32_t>& producer) {
  std::set<std::pair<std::uint32_t, std::uint32_t>> entered;  // value, subgraph
  std::vector<char> left(program.values.size(), 0);
  for (std::uint32_t i = 0; i < program.nodes.size(); ++i) {
    for (const std::uint32_t input : program.nodes[i].inputs) {
      if (input == ADZE_NONE || producer[input] == ADZE_NONE) continue;
      const std::uint32_t from = producer[input];
      if (placed_[from].subgraph == placed_[i].subgraph || placed_[from].hand_over_included ||
          placed_[i].hand_over_included)
        continue;
      const double size = elements(program.values[input]) / 1e6;
      const auto charge = [&](std::uint32_t node) {
        works_[node][Term::hand_overs] += 1;
        works_[node][Term::handed_elements] += size;
      };
      if (placed_[from].unit == Unit::drpai && !std::exchange(left[input], char{1})) charge(from);
      if (placed_[i].unit == Unit::drpai && entered.emplace(input, placed_[i].subgraph).second)
        charge(i);
    }
  }
}

double LatencyModel::sparsity(std::size_t node) const {
  const Work& work = works_[node];
  if (work.weight_value == ADZE_NONE) return 0;
  return exec::share_of_zeros(*graph_.values[work.weight_value]);
}

double LatencyModel::node_ms(std::size_t node, const WhatIf& what_if) const {
  const Work& work = works_[node];
  double ms = work.copied / figures_.cpu_elements_per_ms;
  for (std::size_t term = 0; term < kTerms; ++term) {
    double amount = work.terms[term];
    switch (static_cast<Term>(term)) {
      case Term::macs:
        amount *= what_if.channel_share;
        if (work.prunable) amount *= std::max(1 - what_if.sparsity, figures_.sparse_floor);
        break;
      case Term::weights:
        amount *= what_if.channel_share;
        // Pruned weights are stored with their positions, when that is smaller.
        if (work.prunable)
          amount *= std::min(1.0, std::max(1 - what_if.sparsity, figures_.sparse_floor) *
                                      figures_.sparse_weight_bytes);
        break;
      case Term::cpu_macs:
      case Term::cpu_depthwise_macs:
        amount *= what_if.channel_share;
        break;
      default:
        break;
    }
    ms += amount * figures_.ms[term];
  }
  return ms;
}

double LatencyModel::total_ms() const {
  double total = 0;
  for (std::size_t node = 0; node < works_.size(); ++node) total += node_ms(node);
  return total;
}

std::uint64_t LatencyModel::bytes(std::size_t node) const {
  const Work& work = works_[node];
  const double element_bytes = unit(node) == Unit::drpai ? 1 : sizeof(float);
  return static_cast<std::uint64_t>((work.elements + work.weights) * element_bytes);
}

}  // namespace adze::drpai
