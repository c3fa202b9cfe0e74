#include "plugins/drpai/latency.hpp"

#include <algorithm>

namespace adze::drpai {
namespace {

using exec::Facts;
using exec::Node;
using exec::Program;

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

double share_of_zeros(const adze_value& value) {
  const std::span<const float> weights = f32(value.constant);
  if (weights.empty()) return 0;
  const auto zeros = std::count(weights.begin(), weights.end(), 0.0f);
  return static_cast<double>(zeros) / static_cast<double>(weights.size());
}

/// A Relu or Clip behind a node of the same unit costs nothing of its own.
bool is_activation(const Node& node) { return node.op == "Relu" || node.op == "Clip"; }

}  // namespace

LatencyModel::LatencyModel(const adze_graph& graph, const Facts& facts) {
  const Program program =
      exec::make_program(graph, exec::Rounding::half_even, exec::Contents::small);
  placed_ = place_nodes(program, facts);
  const double clock_hz = figure(facts, "clock.ai_mhz") * 1e6;
  figures_.macs_per_second =
      figure(facts, "compute.macs_per_cycle") * figure(facts, "cost.utilisation") * clock_hz;
  figures_.depthwise_macs_per_second = figure(facts, "cost.depthwise_macs_per_cycle") * clock_hz;
  figures_.sparse_floor = figure(facts, "cost.sparse_floor");
  figures_.sparse_weight_bytes = figure(facts, "sparse.bytes_per_kept_weight");
  figures_.bytes_per_second =
      figure(facts, "memory.peak_gb_per_s") * figure(facts, "cost.memory_efficiency") * 1e9;
  figures_.resident_bytes = figure(facts, "memory.feature_sram_bytes");
  figures_.node_overhead_ms = figure(facts, "cost.node_overhead_us") * 1e-3;
  figures_.cpu_flops = figure(facts, "cpu.gflops") * 1e9;
  figures_.cpu_bytes_per_second = figure(facts, "cpu.copy_gb_per_s") * 1e9;
  figures_.cpu_node_overhead_ms = figure(facts, "cost.cpu_node_overhead_us") * 1e-3;
  figures_.hand_over_ms = figure(facts, "cost.hand_over_us") * 1e-3;

  std::vector<std::uint32_t> producer(program.values.size(), ADZE_NONE);
  for (std::uint32_t i = 0; i < program.nodes.size(); ++i) {
    const Node& node = program.nodes[i];
    Work work;
    for (const std::uint32_t output : node.outputs)
      if (output != ADZE_NONE) work.elements_out += elements(program.values[output]);
    for (const std::uint32_t input : node.inputs) {
      if (input == ADZE_NONE || program.values[input].is_constant()) continue;
      work.elements_in += elements(program.values[input]);
      const std::uint32_t from = producer[input];
      if (from != ADZE_NONE && placed_[from].unit != placed_[i].unit)
        work.handed_over += elements(program.values[input]);
      work.fused =
          is_activation(node) && from != ADZE_NONE && placed_[from].unit == placed_[i].unit;
    }
    const bool layer =
        node.domain.empty() && (node.op == "Conv" || node.op == "Gemm" || node.op == "MatMul");
    if (layer && node.inputs.size() > 1 && node.inputs[1] != ADZE_NONE) {
      const exec::Value& weights = program.values[node.inputs[1]];
      const exec::Shape& shape = weights.shape;
      work.has_macs = true;
      // Products per element of the result: all sizes of the weights but the output channels.
      const bool transposed = node.op != "Gemm" || node.integer("transB", 0) != 0;
      const std::size_t rank = shape.size();
      double depth = 1;
      if (node.op == "Conv")
        for (std::size_t axis = 1; axis < rank; ++axis) depth *= static_cast<double>(shape[axis]);
      else if (rank >= 2)
        depth = static_cast<double>(node.op == "Gemm" && transposed ? shape[1] : shape[rank - 2]);
      work.macs = work.elements_out * depth;
      if (weights.is_constant()) work.weights = elements(weights);
      work.depthwise =
          node.op == "Conv" && node.integer("group", 1) > 1 && rank > 1 && shape[1] == 1;
      work.sparsity = share_of_zeros(*graph.values[node.inputs[1]]);
    }
    works_.push_back(work);
    for (const std::uint32_t output : node.outputs)
      if (output != ADZE_NONE) producer[output] = i;
  }
}

double LatencyModel::drpai_ms(const Work& work, const WhatIf& what_if) const {
  if (work.fused) return 0;
  const double kept = std::max(1 - what_if.sparsity, figures_.sparse_floor);
  const double macs = work.macs * what_if.channel_share;
  const double compute = work.depthwise ? macs / figures_.depthwise_macs_per_second
                                        : macs * kept / figures_.macs_per_second;
  // Pruned weights are stored with their positions, when that is smaller.
  const double weight_bytes =
      work.weights * what_if.channel_share *
      (work.depthwise ? 1 : std::min(1.0, kept * figures_.sparse_weight_bytes));
  // Features stay on the chip as far as they fit there.
  const double features = work.elements_in + work.elements_out;
  const double spilled = std::max(features - figures_.resident_bytes, 0.0);
  const double memory = (weight_bytes + spilled) / figures_.bytes_per_second;
  return std::max(compute, memory) * 1e3 + figures_.node_overhead_ms;
}

double LatencyModel::cpu_ms(const Work& work, const WhatIf& what_if) const {
  if (work.fused) return 0;
  const double floats = work.elements_in + work.elements_out + work.weights;
  const double compute = 2 * work.macs * what_if.channel_share / figures_.cpu_flops;
  const double memory = floats * sizeof(float) / figures_.cpu_bytes_per_second;
  return std::max(compute, memory) * 1e3 + figures_.cpu_node_overhead_ms;
}

double LatencyModel::node_ms(std::size_t node, const WhatIf& what_if) const {
  const Work& work = works_[node];
  const double own = unit(node) == Unit::drpai ? drpai_ms(work, what_if) : cpu_ms(work, what_if);
  if (work.handed_over == 0) return own;
  return own + figures_.hand_over_ms +
         work.handed_over * sizeof(float) / figures_.cpu_bytes_per_second * 1e3;
}

double LatencyModel::total_ms() const {
  double total = 0;
  for (std::size_t node = 0; node < works_.size(); ++node) total += node_ms(node);
  return total;
}

std::uint64_t LatencyModel::bytes(std::size_t node) const {
  const Work& work = works_[node];
  const double element_bytes = unit(node) == Unit::drpai ? 1 : sizeof(float);
  return static_cast<std::uint64_t>((work.elements_in + work.elements_out + work.weights) *
                                    element_bytes);
}

}  // namespace adze::drpai
