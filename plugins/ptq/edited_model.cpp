#include "plugins/ptq/edited_model.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace ptq {

EditedModel::EditedModel(adze_call* call) : call_(call), target_(call->graph->node_count, false) {
  for (const std::uint32_t node : adze::targets(graph())) target_[node] = true;
  std::uint32_t quantized = 0;
  const char* first = nullptr;
  for (std::uint32_t i = 0; i < graph().value_count; ++i) {
    if (!value(i).quant) continue;
    if (!first) first = value(i).name;
    ++quantized;
  }
  if (first)
    throw adze::Error(ADZE_FAILED_PRECONDITION,
                      "the model is quantized already: '" + std::string(first) + "' and " +
                          std::to_string(quantized - 1) +
                          " more values have scales, which are kept as they are; leave this stage "
                          "out, or start from the float model");
}

bool EditedModel::may_change(std::uint32_t index) const {
  const adze_value& shown = value(index);
  return !adze::f32(shown.constant).empty() &&
         std::all_of(shown.consumers, shown.consumers + shown.consumer_count,
                     [&](std::uint32_t reader) { return target_[reader]; });
}

std::span<const float> EditedModel::constant(std::uint32_t index) const {
  const auto edited = edited_.find(index);
  if (edited != edited_.end()) return edited->second;
  const auto elements = adze::f32(value(index).constant);
  if (!std::all_of(elements.begin(), elements.end(), [](float x) { return std::isfinite(x); }))
    throw adze::Error(ADZE_FAILED_PRECONDITION,
                      "'" + std::string(value(index).name) +
                          "' holds NaN or infinity, which no grid can show: the model is broken");
  return elements;
}

void EditedModel::set_constant(std::uint32_t index, std::vector<float> contents) {
  // Weights at the end of the range of floats overflow when they are rescaled or rounded.
  constexpr float kMost = std::numeric_limits<float>::max();
  for (float& element : contents) element = std::clamp(element, -kMost, kMost);
  const adze_tensor tensor = adze::with_contents(*value(index).constant, contents);
  adze::check(call_->edit->set_constant(call_, index, &tensor));
  edited_[index] = std::move(contents);
}

void EditedModel::set_quant(std::uint32_t index, std::int32_t axis, std::uint8_t code, int bits,
                            std::span<const float> scales, const std::int32_t* zero_point) {
  const adze_quant quant = {.struct_size = sizeof quant,
                            .flags = 0,
                            .axis = axis,
                            .code = code,
                            .bits = static_cast<std::uint8_t>(bits),
                            .reserved = 0,
                            .count = scales.size(),
                            .scale = scales.data(),
                            .zero_point = zero_point};
  adze::check(call_->edit->set_quant(call_, index, &quant));
}

void EditedModel::log(std::int32_t level, const std::string& text) const {
  call_->host->log(call_, level, text.c_str());
}

}  // namespace ptq
