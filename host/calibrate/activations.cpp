#include "host/calibrate/activations.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "host/base/error.hpp"

namespace adze::host {

std::span<const float> floats_of(const Tensor& tensor, std::vector<float>& storage) {
  if (tensor.dtype() == DType::f32) return tensor.as<float>();
  storage = to_f32(tensor);
  return storage;
}

void Activations::show(Graph graph) {
  graph_ = std::move(graph);
  runner_.reset();
  compiled_.clear();
}

// A quantized input is the backend's business: it says what the nodes behind it read.
bool Activations::is_given(std::uint32_t value) const {
  return std::ranges::find(graph_.inputs, value) != graph_.inputs.end() &&
         !graph_.value(value).quant;
}

void Activations::want(const std::set<std::uint32_t>& values, std::uint32_t batch) {
  wanted_ = values;
  std::set<std::uint32_t> computed;
  std::ranges::copy_if(values, std::inserter(computed, computed.end()),
                       [&](std::uint32_t value) { return !is_given(value); });
  if (batch == batch_ && std::ranges::includes(compiled_, computed)) return;
  runner_.reset();
  compiled_ = std::move(computed);
  batch_ = batch;
  if (compiled_.empty()) return;
  std::vector<std::string> extra;
  for (const std::uint32_t value : compiled_)
    if (std::ranges::find(graph_.outputs, value) == graph_.outputs.end())
      extra.push_back(graph_.value(value).name);
  runner_ = make_runner_(graph_, extra, batch);
}

void Activations::check_finite(const Value& value, const Tensor& tensor) const {
  std::vector<float> storage;
  const auto elements = floats_of(tensor, storage);
  const auto bad = std::ranges::find_if(elements, [](float x) { return !std::isfinite(x); });
  if (bad == elements.end()) return;
  const std::string source =
      value.producer == kNone
          ? fmt::format("the model's input '{}'", value.name)
          : fmt::format("node '{}' ({}), output '{}'", graph_.nodes[value.producer].name,
                        graph_.nodes[value.producer].op, value.name);
  throw Error(
      ADZE_DATA_LOSS,
      fmt::format("{} gives {} on a calibration sample; check the preprocessing of the data "
                  "and the model's weights",
                  source, std::isnan(*bad) ? "NaN" : "infinity"));
}

std::map<std::uint32_t, Tensor> Activations::run(std::span<const Tensor> samples) {
  std::map<std::uint32_t, Tensor> found;
  for (std::size_t i = 0; i < graph_.inputs.size(); ++i)
    if (wanted_.contains(graph_.inputs[i]) && is_given(graph_.inputs[i]))
      found.emplace(graph_.inputs[i], samples[i]);
  if (runner_) {
    std::map<std::string, Tensor> outputs;
    for (NamedTensor& output : runner_->run(samples))
      outputs.emplace(output.name, std::move(output.tensor));
    for (const std::uint32_t value : wanted_) {
      if (found.contains(value)) continue;
      const auto output = outputs.find(graph_.value(value).name);
      if (output == outputs.end())
        throw PluginError(ADZE_INTERNAL, fmt::format("{} did not return value '{}'",
                                                     runner_->name(), graph_.value(value).name));
      found.emplace(value, std::move(output->second));
    }
  }
  // In the order the graph computes them, so that the first complaint is about the culprit.
  std::vector<std::uint32_t> order(wanted_.begin(), wanted_.end());
  std::ranges::stable_sort(order, {}, [&](std::uint32_t value) {
    const std::uint32_t producer = graph_.value(value).producer;
    return producer == kNone ? -1 : std::int64_t{producer};
  });
  for (const std::uint32_t value : order) check_finite(graph_.value(value), found.at(value));
  return found;
}

}  // namespace adze::host
