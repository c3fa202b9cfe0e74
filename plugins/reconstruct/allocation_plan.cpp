#include "plugins/reconstruct/allocation_plan.hpp"

#include <adze/adze.hpp>
#include <algorithm>
#include <cmath>

#include "plugins/reconstruct/allocation.hpp"
#include "plugins/reconstruct/allocation_rules.hpp"

namespace reconstruct {

ErrorCurve::ErrorCurve(std::vector<ErrorPoint> points) : points_(std::move(points)) {
  for (const ErrorPoint& point : points_)
    if (!(point.sparsity >= 0 && point.sparsity < 1 && point.error >= 0) ||
        !std::isfinite(point.error))
      throw adze::Error(ADZE_INVALID_ARGUMENT, "an error curve has sparsity " +
                                                   std::to_string(point.sparsity) + " and error " +
                                                   std::to_string(point.error));
  std::erase_if(points_, [](const ErrorPoint& point) { return point.sparsity == 0; });
  points_.push_back({0, 0});
  std::ranges::sort(points_, {}, &ErrorPoint::sparsity);
  for (std::size_t p = 1; p < points_.size(); ++p)
    points_[p].error = std::max(points_[p].error, points_[p - 1].error);
}

double ErrorCurve::error(double sparsity) const {
  const auto above = std::ranges::lower_bound(points_, sparsity, {}, &ErrorPoint::sparsity);
  if (above == points_.begin()) return 0;
  if (above == points_.end()) return points_.back().error;
  const ErrorPoint& low = *(above - 1);
  const double part = (sparsity - low.sparsity) / (above->sparsity - low.sparsity);
  // No logarithm of 0: from there on linear.
  if (low.error <= 0) return above->error * part;
  return low.error * std::pow(above->error / low.error, part);
}

Plan plan_by_error(std::span<const ErrorCurve> curves, const Costs& costs, double budget,
                   double step) {
  std::vector<std::vector<double>> sparsities(curves.size());
  std::vector<std::vector<Choice>> choices(curves.size());
  for (std::size_t l = 0; l < curves.size(); ++l) {
    const double highest = curves[l].highest_sparsity();
    // The end of the curve is a choice whether or not a step falls on it.
    for (std::int64_t k = 0; static_cast<double>(k) * step < highest - 1e-9; ++k)
      sparsities[l].push_back(static_cast<double>(k) * step);
    sparsities[l].push_back(highest);
    for (const double sparsity : sparsities[l])
      choices[l].push_back({curves[l].error(sparsity), costs.layer(l, sparsity)});
  }
  const std::optional<Allocation> found = allocate(choices, budget - costs.fixed());
  if (!found) {
    const CostRange range = cost_range(choices);
    fail_unreachable(budget, costs.fixed() + range.low, costs.fixed() + range.high, costs.unit());
  }
  Plan plan{.sparsities = {}, .error = found->error, .cost = costs.fixed() + found->cost};
  for (std::size_t l = 0; l < curves.size(); ++l)
    plan.sparsities.push_back(sparsities[l][found->chosen[l]]);
  return plan;
}

}  // namespace reconstruct
