#include "plugins/ptq/smooth.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string_view>

#include "plugins/ptq/channels.hpp"
#include "plugins/ptq/collect.hpp"

namespace ptq {
namespace {

constexpr std::uint64_t kSamplesForSmoothing = 32;
constexpr double kSmallest = 1e-5;

struct Smoothable {
  std::uint32_t value = 0;               ///< what the products read
  std::vector<std::uint32_t> constants;  ///< of the normalization: one element a channel
  std::vector<pruning::Layer> readers;
};

std::size_t width_of(const adze_value& value) {
  return value.rank > 0 && value.shape[value.rank - 1] > 0
             ? static_cast<std::size_t>(value.shape[value.rank - 1])
             : 0;
}

bool is_per_channel(const EditedModel& model, std::uint32_t constant, std::size_t width) {
  if (constant == ADZE_NONE) return false;
  const adze_value& value = model.value(constant);
  return value.consumer_count == 1 && model.may_change(constant) && width_of(value) == width &&
         adze::f32(value.constant).size() == width;
}

/// The constant among the two inputs of a product or sum; nullopt unless the other is computed.
std::optional<std::uint32_t> constant_input(const EditedModel& model, const adze_node& node) {
  if (node.input_count != 2) return std::nullopt;
  const bool first = model.value(node.inputs[0]).constant != nullptr;
  const bool second = model.value(node.inputs[1]).constant != nullptr;
  if (first == second) return std::nullopt;
  return node.inputs[first ? 0 : 1];
}

/// Those of LayerNormalization, or of the product and sum that spell one out; empty: no
/// normalization makes the value.
std::vector<std::uint32_t> normalization_constants(const EditedModel& model, std::uint32_t value) {
  std::vector<std::uint32_t> constants;
  for (;;) {
    const std::uint32_t producer = model.value(value).producer;
    if (producer == ADZE_NONE || !model.is_target(producer)) return {};
    const adze_node& node = model.node(producer);
    const std::string_view op = node.op;
    if (op == "LayerNormalization") {
      if (!constants.empty() || node.input_count < 2) return {};
      constants.push_back(node.inputs[1]);
      if (node.input_count > 2 && node.inputs[2] != ADZE_NONE) constants.push_back(node.inputs[2]);
      return constants;
    }
    const auto constant = constant_input(model, node);
    if (!constant || (op != "Mul" && op != "Add")) return {};
    constants.push_back(*constant);
    if (op == "Mul") return constants;
    if (constants.size() > 1) return {};
    value = node.inputs[*constant == node.inputs[0] ? 1 : 0];
    if (model.value(value).consumer_count != 1) return {};
  }
}

std::optional<Smoothable> smoothable(const EditedModel& model, std::uint32_t value) {
  const adze_value& shown = model.value(value);
  const std::size_t width = width_of(shown);
  if (shown.constant || shown.consumer_count == 0 || width == 0 ||
      (shown.flags & ADZE_VALUE_OUTPUT) != 0)
    return std::nullopt;
  Smoothable found{value, {}, {}};
  for (std::uint64_t i = 0; i < shown.consumer_count; ++i) {
    const adze_node& node = model.node(shown.consumers[i]);
    const auto layer = layer_at(model.graph(), shown.consumers[i]);
    if (!layer || std::string_view(node.op) == "Conv" || node.inputs[0] != value ||
        static_cast<std::size_t>(layer->columns) != width ||
        model.value(layer->weight).consumer_count != 1 || !model.may_change(layer->weight))
      return std::nullopt;
    found.readers.push_back(*layer);
  }
  found.constants = normalization_constants(model, value);
  const bool fits =
      !found.constants.empty() &&
      std::all_of(found.constants.begin(), found.constants.end(),
                  [&](std::uint32_t one) { return is_per_channel(model, one, width); });
  return fits ? std::optional(found) : std::nullopt;
}

/// Largest |x| of each index of the last axis.
std::vector<double> channel_ranges(const adze_stat& stat) {
  const auto elements = adze::f32(&stat.data);
  return largest_along(elements, stat.data, stat.data.ndim - 1);
}

void rescale(EditedModel& model, const Smoothable& one, const std::vector<double>& ranges,
             double share) {
  std::vector<double> weights(ranges.size(), 0);
  for (const pruning::Layer& layer : one.readers) {
    const auto contents = model.constant(layer.weight);
    for (std::int64_t row = 0; row < layer.rows; ++row)
      for (std::int64_t column = 0; column < layer.columns; ++column) {
        double& most = weights[static_cast<std::size_t>(column)];
        most = std::max(most, std::abs(static_cast<double>(contents[layer.index(row, column)])));
      }
  }
  std::vector<double> factors;
  for (std::size_t c = 0; c < ranges.size(); ++c)
    factors.push_back(
        ranges[c] > 0 && weights[c] > 0
            ? std::max(kSmallest, std::pow(ranges[c], share) / std::pow(weights[c], 1 - share))
            : 1);
  for (const std::uint32_t constant : one.constants) {
    const auto shown = model.constant(constant);
    std::vector<float> contents(shown.begin(), shown.end());
    for (std::size_t c = 0; c < contents.size(); ++c)
      contents[c] = static_cast<float>(static_cast<double>(contents[c]) / factors[c]);
    model.set_constant(constant, std::move(contents));
  }
  for (const pruning::Layer& layer : one.readers) {
    const auto shown = model.constant(layer.weight);
    std::vector<float> contents(shown.begin(), shown.end());
    scale_inputs(layer, factors, 1, contents);
    model.set_constant(layer.weight, std::move(contents));
  }
}

}  // namespace

std::size_t smooth(EditedModel& model, double share) {
  if (share == 0) return 0;
  std::vector<Smoothable> found;
  for (std::uint32_t value = 0; value < model.graph().value_count; ++value)
    if (const auto one = smoothable(model, value)) found.push_back(*one);
  if (found.empty())
    model.log(ADZE_LOG_WARNING,
              "smooth: no MatMul of the model reads a normalization; it has no effect");
  std::vector<adze_stat_request> requests;
  for (const Smoothable& one : found) {
    requests.push_back(request_of(ADZE_STAT_SAMPLES, one.value));
    requests.back().count = std::min<std::uint64_t>(kSamplesForSmoothing, sample_count(model));
  }
  std::vector<std::vector<double>> ranges(found.size());
  collect(model, requests,
          [&](std::size_t i, const adze_stat& stat) { ranges[i] = channel_ranges(stat); });
  for (std::size_t i = 0; i < found.size(); ++i) rescale(model, found[i], ranges[i], share);
  return found.size();
}

}  // namespace ptq
