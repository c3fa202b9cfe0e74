#include "plugins/quantization/leave_float.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace ptq {
namespace {

constexpr std::array<std::string_view, 21> kDecoding = {
    "Softmax",  "LogSoftmax", "Sigmoid",   "HardSigmoid", "Tanh",
    "Exp",      "Log",        "Concat",    "Mul",         "Div",
    "Sub",      "Pow",        "Sqrt",      "Gather",      "TopK",
    "ArgMax",   "ArgMin",     "ReduceMax", "Softplus",    "NonMaxSuppression",
    "ScatterND"};
constexpr std::array<std::string_view, 4> kLayers = {"Conv", "Gemm", "MatMul", "ConvTranspose"};

template <class List>
bool is_one_of(const List& list, std::string_view op) {
  return std::find(list.begin(), list.end(), op) != list.end();
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = i - 1;
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

/// The name or operator with the fewest edits to `entry`; the first of equals.
std::string_view nearest(const adze_graph& graph, std::string_view entry) {
  std::string_view found;
  std::size_t least = SIZE_MAX;
  for (std::uint32_t node = 0; node < graph.node_count; ++node)
    for (const std::string_view name : {graph.nodes[node]->name, graph.nodes[node]->op}) {
      const std::size_t distance = edit_distance(entry, name);
      if (distance >= least) continue;
      least = distance;
      found = name;
    }
  return found;
}

}  // namespace

std::vector<bool> named_nodes(const adze_graph& graph, std::span<const std::string> entries) {
  std::vector<bool> named(graph.node_count, false);
  for (const std::string& entry : entries) {
    bool found = false;
    for (std::uint32_t node = 0; node < graph.node_count; ++node) {
      const adze_node& one = *graph.nodes[node];
      if (entry != one.op && entry != one.name && ::fnmatch(entry.c_str(), one.name, 0) != 0)
        continue;
      named[node] = found = true;
    }
    if (!found)
      throw adze::Error(ADZE_NOT_FOUND, "leave_float: no node and no operator of the model is '" +
                                            entry + "'; the nearest is '" +
                                            std::string(nearest(graph, entry)) + "'");
  }
  return named;
}

std::vector<bool> decoding_nodes(const adze_graph& graph) {
  std::vector<bool> before_layer(graph.node_count, false), decoding(graph.node_count, false);
  for (std::uint32_t node = graph.node_count; node-- > 0;) {
    const adze_node& one = *graph.nodes[node];
    for (std::uint32_t i = 0; i < one.output_count; ++i) {
      if (one.outputs[i] == ADZE_NONE) continue;
      const adze_value& result = *graph.values[one.outputs[i]];
      for (std::uint64_t c = 0; c < result.consumer_count; ++c) {
        const std::uint32_t reader = result.consumers[c];
        if (before_layer[reader] || is_one_of(kLayers, graph.nodes[reader]->op))
          before_layer[node] = true;
      }
    }
  }
  for (std::uint32_t node = 0; node < graph.node_count; ++node) {
    const adze_node& one = *graph.nodes[node];
    if (before_layer[node] || is_one_of(kLayers, one.op)) continue;
    decoding[node] = is_one_of(kDecoding, one.op);
    for (std::uint32_t i = 0; i < one.input_count && !decoding[node]; ++i) {
      const std::uint32_t value = one.inputs[i];
      const std::uint32_t producer = value == ADZE_NONE ? ADZE_NONE : graph.values[value]->producer;
      decoding[node] = producer != ADZE_NONE && decoding[producer];
    }
  }
  return decoding;
}

}  // namespace ptq
