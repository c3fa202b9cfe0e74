#include "plugins/qat/grids.hpp"

#include <algorithm>
#include <cmath>

namespace qat {
namespace {

constexpr double kLargestBias = 1 << 30;  // as plugins/quantization leaves room
constexpr float kRangeMomentum = 0.02F;
constexpr std::size_t kSamplesOfValue = 1 << 16;

float scale_of(float log_scale) { return levels_of(static_cast<double>(log_scale), 0, 0).scale; }

Range joined(const Range& a, const Range& b) {
  return {std::min(a.low, b.low), std::max(a.high, b.high)};
}

}  // namespace

void Observed::add(std::span<const float> elements) {
  if (elements.empty()) return;
  const Range range = range_of(elements.data(), elements.size());
  low = std::min(low, static_cast<double>(range.low));
  high = std::max(high, static_cast<double>(range.high));
  // An odd stride does not keep hitting the same channel.
  const std::size_t stride = elements.size() / (kSamplesOfValue / 8) | 1;
  for (std::size_t i = 0; i < elements.size() && some.size() < kSamplesOfValue; i += stride)
    some.push_back(elements[i]);
}

Grids::Grids(const adze_graph& graph, const ptq::Plan* plan, const GridOptions& options)
    : graph_(graph), options_(options) {
  if (!plan) return;
  if (options.shared_scales) share_scales(*plan);
  for (const std::uint32_t value : plan->measured) add_own(value);
  for (const std::uint32_t value : plan->constants) add_own(value);
  for (const auto& [value, source] : plan->shared) shared_[value] = source_of(source);
  for (const ptq::WeightPlan& one : plan->weights) add_weight(one);
}

void Grids::share_scales(const ptq::Plan& plan) {
  for (const std::vector<std::uint32_t>& group : plan.same_scale) {
    // The last of them in a pass, so that a range that follows has seen all of them.
    const auto order = [&](std::uint32_t value) {
      const std::uint32_t producer = graph_.values[value]->producer;
      return producer == ADZE_NONE ? std::int64_t{-1} : std::int64_t{producer};
    };
    const std::uint32_t last =
        *std::max_element(group.begin(), group.end(),
                          [&](std::uint32_t a, std::uint32_t b) { return order(a) < order(b); });
    for (const std::uint32_t value : group)
      if (value != last) shared_[value] = last;
  }
}

void Grids::add_own(std::uint32_t value) {
  rounded_.insert(value);
  const std::uint32_t source = source_of(value);
  ActivationGrid& grid = activations_[source];
  const adze_tensor* constant = graph_.values[value]->constant;
  if (constant) {
    const auto elements = adze::f32(constant);
    if (!elements.empty())
      grid.fixed = joined(grid.fixed, range_of(elements.data(), elements.size()));
  }
  if (source != value) return;
  grid.is_constant = constant != nullptr;
  own_.push_back(value);
}

void Grids::add_weight(const ptq::WeightPlan& plan) {
  const adze_tensor& tensor = *graph_.values[plan.weight]->constant;
  WeightGrid& grid = weights_[plan.weight];
  grid.plan = plan;
  for (std::int32_t axis = 0; axis < tensor.ndim; ++axis) {
    std::int64_t& size = axis < plan.axis    ? grid.channels.outer
                         : axis == plan.axis ? grid.channels.count
                                             : grid.channels.inner;
    size *= tensor.shape[axis];
  }
  grid.log_scales.assign(static_cast<std::size_t>(grid.channels.count), 0);
}

std::uint32_t Grids::source_of(std::uint32_t value) const {
  const auto found = shared_.find(value);
  return found == shared_.end() ? value : found->second;
}

ActivationGrid* Grids::of(std::uint32_t value) {
  const auto found = activations_.find(source_of(value));
  return found == activations_.end() ? nullptr : &found->second;
}

void Grids::observe(std::uint32_t value, std::span<const float> elements) {
  if (is_rounded_itself(value)) of(value)->observed.add(elements);
}

void Grids::start() {
  for (const std::uint32_t value : rounded_)
    if (const adze_tensor* constant = graph_.values[value]->constant)
      of(value)->observed.add(adze::f32(constant));
  for (auto& [value, grid] : activations_) {
    grid.range = {static_cast<float>(grid.observed.low), static_cast<float>(grid.observed.high)};
    set_from_range(grid);
    if (!options_.learned || grid.observed.some.empty()) continue;
    float& log_scale = grid.log_scale[0];
    const Levels whole = levels_of(static_cast<double>(log_scale), grid.low, grid.high);
    log_scale += static_cast<float>(std::log(best_share(grid.observed.some, whole)));
    grid.observed = {};
  }
}

void Grids::resume() {
  for (auto& [value, grid] : activations_) {
    const float learned = grid.log_scale[0];
    set_from_range(grid);
    if (options_.learned && grid.range[0] <= grid.range[1] && !grid.is_constant)
      grid.log_scale[0] = learned;
  }
}

void Grids::follow(std::uint32_t value, std::span<const float> elements) {
  if (!is_rounded_itself(value) || graph_.values[value]->constant) return;
  ActivationGrid& grid = *of(value);
  grid.passing = joined(grid.passing, range_of(elements.data(), elements.size()));
  if (source_of(value) != value) return;
  const Range now = joined(grid.passing, grid.fixed);
  grid.passing = {};
  grid.range[0] += kRangeMomentum * (now.low - grid.range[0]);
  grid.range[1] += kRangeMomentum * (now.high - grid.range[1]);
  set_from_range(grid);
}

void Grids::set_from_range(ActivationGrid& grid) const {
  const ptq::Grid found =
      ptq::activation_grid(static_cast<double>(grid.range[0]), static_cast<double>(grid.range[1]),
                           options_.zero_point, options_.bits);
  grid.zero_point = found.zero_point;
  grid.low = static_cast<float>(-found.zero_point);
  grid.high = static_cast<float>((1 << options_.bits) - 1 - found.zero_point);
  grid.log_scale[0] = static_cast<float>(std::log(static_cast<double>(found.scale)));
}

void Grids::set_from_weights(WeightGrid& grid, std::span<const float> weights) {
  std::vector<double> largest(grid.log_scales.size());
  for_each_run(grid.channels, [&](std::int64_t c, std::int64_t first) {
    double& most = largest[static_cast<std::size_t>(c)];
    for (std::int64_t i = first; i < first + grid.channels.inner; ++i)
      most = std::max(most, std::abs(static_cast<double>(weights[static_cast<std::size_t>(i)])));
  });
  const std::vector<float> scales = ptq::weight_scales(largest, {}, 1);
  for (std::size_t c = 0; c < scales.size(); ++c)
    grid.log_scales[c] = static_cast<float>(std::log(static_cast<double>(scales[c])));
}

std::vector<float> Grids::scales_of(const WeightGrid& grid, std::span<const float> bias) const {
  std::vector<float> scales;
  const auto input = activations_.find(source_of(grid.plan.input));
  const double input_scale =
      input == activations_.end() ? 1 : static_cast<double>(scale_of(input->second.log_scale[0]));
  for (std::size_t c = 0; c < grid.log_scales.size(); ++c) {
    double scale = static_cast<double>(scale_of(grid.log_scales[c]));
    if (c < bias.size())
      scale =
          std::max(scale, std::abs(static_cast<double>(bias[c])) / (input_scale * kLargestBias));
    scales.push_back(static_cast<float>(scale));
  }
  return scales;
}

std::vector<Quantized> Grids::quantized_activations() const {
  std::vector<Quantized> all;
  const auto add = [&](std::uint32_t value, const ActivationGrid& grid) {
    all.push_back({.value = value,
                   .axis = -1,
                   .code = ADZE_UINT,
                   .bits = options_.bits,
                   .scales = {scale_of(grid.log_scale[0])},
                   .zero_point = grid.zero_point});
  };
  for (const auto& [value, grid] : activations_) add(value, grid);
  for (const auto& [value, source] : shared_) add(value, activations_.at(source));
  return all;
}

}  // namespace qat
