#include "plugins/reconstruct/allocation_rules.hpp"

#include <adze/adze.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <numeric>
#include <utility>

namespace reconstruct {
namespace {

constexpr int kSteps = 1000;

std::string text_of(double number) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", number);
  return text;
}

}  // namespace

Rule uniform_rule(std::size_t layers) {
  return [layers](double sparsity) { return std::vector<double>(layers, sparsity); };
}

Rule erk_rule(std::vector<LayerSize> layers) {
  return [layers = std::move(layers)](double sparsity) {
    const auto count = [&](std::size_t l) { return static_cast<double>(layers[l].count()); };
    double kept = 0;
    for (std::size_t l = 0; l < layers.size(); ++l) kept += (1 - sparsity) * count(l);
    std::vector<bool> dense(layers.size(), false);
    std::vector<double> sparsities(layers.size(), 0.0);
    for (bool changed = true; changed;) {
      changed = false;
      double left = kept, sizes = 0;
      for (std::size_t l = 0; l < layers.size(); ++l)
        (dense[l] ? left : sizes) += dense[l] ? -count(l) : layers[l].sizes;
      if (sizes == 0) break;
      // What a layer keeps is the share of `left` that its sizes are of all sizes.
      for (std::size_t l = 0; l < layers.size(); ++l) {
        if (dense[l]) continue;
        const double own = std::max(left, 0.0) * layers[l].sizes / sizes;
        if (own >= count(l)) {
          dense[l] = changed = true;
          sparsities[l] = 0;
        } else {
          sparsities[l] = std::min(1 - own / count(l), kHighestSparsity);
        }
      }
    }
    return sparsities;
  };
}

Rule global_magnitude_rule(std::span<const std::span<const float>> weights) {
  using Weight = std::pair<float, std::uint32_t>;  // magnitude, layer
  const auto sorted = std::make_shared<std::vector<Weight>>();
  std::vector<double> counts;
  for (std::uint32_t l = 0; l < weights.size(); ++l) {
    for (const float weight : weights[l]) sorted->emplace_back(std::abs(weight), l);
    counts.push_back(static_cast<double>(weights[l].size()));
  }
  std::ranges::sort(*sorted, std::greater<>());
  return [sorted, counts = std::move(counts)](double sparsity) {
    const auto total = static_cast<double>(sorted->size());
    std::vector<double> kept(counts.size(), 0.0);
    const auto staying = static_cast<std::size_t>(std::llround((1 - sparsity) * total));
    for (std::size_t i = 0; i < staying; ++i) ++kept[(*sorted)[i].second];
    std::vector<double> sparsities(counts.size());
    for (std::size_t l = 0; l < counts.size(); ++l)
      sparsities[l] = counts[l] > 0 ? std::min(1 - kept[l] / counts[l], kHighestSparsity) : 0.0;
    return sparsities;
  };
}

std::vector<double> meet_budget(const Rule& rule, const CostOf& cost_of, double budget,
                                const std::string& unit) {
  const auto at = [&](int step) { return rule(static_cast<double>(step) / kSteps); };
  const int most = static_cast<int>(std::lround(kHighestSparsity * kSteps));
  const double limit = budget + 1e-12 * std::abs(budget);
  int low = 0, high = most;
  if (cost_of(at(high)) > limit) fail_unreachable(budget, cost_of(at(high)), cost_of(at(0)), unit);
  while (low < high) {
    const int middle = std::midpoint(low, high);
    if (cost_of(at(middle)) <= limit)
      high = middle;
    else
      low = middle + 1;
  }
  return at(low);
}

void fail_unreachable(double budget, double low, double high, const std::string& unit) {
  throw adze::Error(ADZE_INVALID_ARGUMENT,
                    "a budget of " + text_of(budget) + " " + unit +
                        " cannot be met: the model takes " + text_of(low) + " " + unit +
                        " with its layers as sparse as they may become, and " + text_of(high) +
                        " " + unit + " with them dense; choose a budget between, or let more " +
                        "layers be pruned (`include`)");
}

}  // namespace reconstruct
