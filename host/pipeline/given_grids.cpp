#include "host/pipeline/given_grids.hpp"

#include <fmt/format.h>

#include "host/base/error.hpp"
#include "host/graph/precision.hpp"

namespace adze::host {

Missing what_is_missing(const Graph& graph, const std::vector<std::uint32_t>& targets) {
  Missing missing;
  for (const Value& value : graph.values) missing.given += value.quant.has_value();
  if (missing.given == 0) {
    missing.targets = targets;
    return missing;
  }
  const std::vector<NodePrecision> precisions = node_precisions(graph);
  std::int64_t floating = 0, integers = 0;
  for (const std::uint32_t target : targets) {
    floating += precisions[target].precision == Precision::floating;
    integers += precisions[target].precision == Precision::int8;
    if (precisions[target].precision != Precision::int8) missing.targets.push_back(target);
  }
  if (floating == 0)
    throw Error(ADZE_FAILED_PRECONDITION,
                fmt::format("the model is quantized already: all {} nodes that compute do so in "
                            "INT8, with the scales it came with, and nothing is missing; leave "
                            "this stage out (`adze inspect --quantization` shows them)",
                            integers));
  missing.warning = fmt::format(
      "the model came quantized: the scales of {} tensors are kept as they are, and only the {} "
      "nodes that compute in floating point are quantized",
      missing.given, floating);
  return missing;
}

EditList only_missing(const EditList& edits, const Graph& shown,
                      const std::vector<std::uint32_t>& targets) {
  EditList kept(shown, targets);
  for (const Edit& edit : edits.edits()) {
    switch (edit.kind) {
      case Edit::Kind::constant:
        kept.set_constant(edit.target, edit.constant);
        break;
      case Edit::Kind::mask:
        kept.set_mask(edit.target, edit.keep);
        break;
      case Edit::Kind::channels:
        kept.remove_channels(edit.target, edit.channels);
        break;
      case Edit::Kind::quant:
        if (!shown.value(edit.target).quant) kept.set_quant(edit.target, edit.quant);
        break;
    }
  }
  return kept;
}

Graph with_given_grids(Graph graph, const Graph& shown) {
  for (std::uint32_t value = 0; value < shown.values.size(); ++value)
    if (shown.value(value).quant) graph.values[value].quant = shown.value(value).quant;
  return graph;
}

void pass_given_grids_on(Graph& graph, const Graph& shown) {
  for (const Node& node : graph.nodes) {
    if (!only_moves(node) || node.inputs.empty() || node.inputs[0] == kNone) continue;
    const Value& source = graph.value(node.inputs[0]);
    if (!source.quant || source.constant || source.quant->axis >= 0) continue;
    for (const std::uint32_t output : node.outputs)
      if (output != kNone && graph.value(output).quant && !shown.value(output).quant)
        graph.values[output].quant = source.quant;
  }
}

}  // namespace adze::host
