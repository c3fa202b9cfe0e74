#include "plugins/drpai_tvm/program.hpp"

#include <algorithm>
#include <set>

namespace adze::drpai_tvm {
namespace {

/// Random zeros are rare; a pruned model has this many.
constexpr double kPrunedSparsity = 0.2;

std::set<std::uint32_t> weights_of(const adze_graph& graph) {
  std::set<std::uint32_t> weights;
  for (std::uint32_t i = 0; i < graph.node_count; ++i)
    if (const std::uint32_t weight = weight_of(graph, *graph.nodes[i]); weight != ADZE_NONE)
      weights.insert(weight);
  return weights;
}

std::string percent(double share) {
  return std::to_string(static_cast<int>(share * 100 + 0.5)) + " %";
}

}  // namespace

ModelFacts facts_of(const adze_graph& graph) {
  ModelFacts facts;
  for (std::uint32_t i = 0; i < graph.value_count; ++i)
    facts.quantized = facts.quantized || graph.values[i]->quant;
  std::size_t zeros = 0, elements = 0;
  for (const std::uint32_t weight : weights_of(graph)) {
    const std::span<const float> values = f32(graph.values[weight]->constant);
    zeros += static_cast<std::size_t>(std::count(values.begin(), values.end(), 0.0f));
    elements += values.size();
    ++facts.weights;
  }
  if (elements) facts.weight_sparsity = static_cast<double>(zeros) / static_cast<double>(elements);
  return facts;
}

Scales choose_scales(const Settings& settings, const ModelFacts& facts) {
  if (!settings.int8) {
    if (facts.quantized || settings.scales == "own")
      throw Error(ADZE_FAILED_PRECONDITION, "the model is quantized, but " + settings.product +
                                                " computes in FP16; compile the FP32 model");
    return Scales::vendor;
  }
  const bool own = settings.scales == "own" || (settings.scales == "auto" && facts.quantized);
  if (own && !facts.quantized)
    throw Error(ADZE_FAILED_PRECONDITION,
                "scales = own, but the model has none: quantize it with `adze quantize`, or leave "
                "them to the vendor's calibrator (scales = vendor)");
  if (!own && facts.quantized)
    throw Error(ADZE_FAILED_PRECONDITION,
                "scales = vendor, but the model is quantized already: the vendor's calibrator "
                "takes the FP32 model");
  if (own && facts.weight_sparsity >= kPrunedSparsity)
    throw Error(ADZE_FAILED_PRECONDITION,
                "the model is quantized and pruned (" + percent(facts.weight_sparsity) +
                    " of its weights are zero): the vendor's tools take models with scales of "
                    "their own only when they are not pruned; compile the pruned FP32 model with "
                    "scales = vendor, and compare with the scales that the vendor's calibrator "
                    "chooses");
  return own ? Scales::own : Scales::vendor;
}

GraphWithScales::GraphWithScales(const adze_graph& graph, const ValueScales& scales)
    : graph_(graph) {
  const std::set<std::uint32_t> weights = weights_of(graph);
  values_.reserve(graph.value_count);
  quants_.reserve(graph.value_count);
  for (std::uint32_t i = 0; i < graph.value_count; ++i) {
    const adze_value& shown = *graph.values[i];
    adze_value made{};  // a later host's is larger, and what it appends is not copied
    std::memcpy(&made, &shown, std::min<std::size_t>(sizeof made, shown.struct_size));
    made.struct_size = sizeof made;
    made.quant = nullptr;
    const auto found = scales.find(shown.name);
    if (found != scales.end() && shown.code == ADZE_FLOAT) {
      const exec::Quantization& scale = found->second;
      const bool whole =
          scale.axis < 0 || (scale.axis < shown.rank &&
                             shown.shape[scale.axis] == static_cast<int64_t>(scale.scale.size()));
      if (!whole)
        throw Error(ADZE_DATA_LOSS,
                    std::string("the quantized model that the toolchain left has ") +
                        std::to_string(scale.scale.size()) + " scales for '" + shown.name +
                        "', which has another number of channels");
      quants_.push_back({sizeof(adze_quant), 0, scale.axis,
                         static_cast<uint8_t>(scale.is_signed ? ADZE_INT : ADZE_UINT), scale.bits,
                         0, scale.scale.size(), scale.scale.data(), scale.zero_point.data()});
      made.quant = &quants_.back();
      (shown.constant ? weights_ : activations_) += !shown.constant || weights.contains(i);
    }
    values_.push_back(made);
  }
  for (const adze_value& value : values_) pointers_.push_back(&value);
  graph_.values = pointers_.data();
}

}  // namespace adze::drpai_tvm
