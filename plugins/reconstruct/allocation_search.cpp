#include "plugins/reconstruct/allocation_search.hpp"

#include <adze/ext/calibration.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "plugins/pruning/parallel.hpp"
#include "plugins/pruning/statistics.hpp"
#include "plugins/reconstruct/allocation_rules.hpp"
#include "plugins/reconstruct/block.hpp"

namespace reconstruct {
namespace {

constexpr double kColumnsAnInput = 64;  ///< of the unfolded input; more tell little more
constexpr std::uint64_t kFewestSamples = 64;
constexpr double kMostGramBytes = 8e8;  ///< collected in one pass over the samples

std::string percent(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %%", share * 100);
  return text;
}

class Allocator {
 public:
  Allocator(adze_call* call, const std::vector<Layer>& layers, const Goal& asked, bool free_pattern,
            const AllocationOptions& options, Progress& progress)
      : call_(call),
        layers_(layers),
        asked_(asked),
        free_pattern_(free_pattern),
        options_(options),
        progress_(progress),
        for_each_(pruning::on_host_threads(call)) {}

  std::vector<Goal> run() {
    // By weights, the same for all is what was asked; and N:M leaves no choice.
    const bool no_choice = asked_.group > 0 && !free_pattern_;
    const bool as_asked = options_.method == Method::uniform &&
                          options_.unit == BudgetUnit::weights && options_.budget == 0;
    if (layers_.empty() || no_choice || as_asked) return std::vector<Goal>(layers_.size(), asked_);
    const Costs costs = costs_of_model();
    const std::vector<double> same(layers_.size(), asked_.sparsity);
    const double budget = options_.budget > 0 ? options_.budget : costs.total(same);
    const std::vector<double> sparsities =
        options_.method == Method::error ? by_error(costs, budget) : by_rule(costs, budget);
    std::vector<Goal> goals;
    for (const double sparsity : sparsities) goals.push_back(goal_of(sparsity));
    tell(costs, budget, goals);
    return goals;
  }

 private:
  Goal goal_of(double sparsity) const {
    Goal goal = asked_;
    goal.sparsity = sparsity;
    if (!free_pattern_) return goal;
    const auto group = static_cast<double>(asked_.group);
    // Never less sparse than the budget was counted with.
    goal.kept = std::max<std::int64_t>(
        1, static_cast<std::int64_t>(std::floor((1 - sparsity) * group + 1e-9)));
    goal.sparsity = 1 - static_cast<double>(goal.kept) / group;
    if (goal.kept == asked_.group) goal.group = goal.kept = 0;
    return goal;
  }

  std::string name_of(const Layer& layer) const { return call_->graph->nodes[layer.node]->name; }

  double earlier_sparsity(const Layer& layer) const {
    const std::uint8_t* keep = call_->graph->values[layer.weight]->keep;
    return keep ? static_cast<double>(std::count(keep, keep + layer.count(), std::uint8_t{0})) /
                      static_cast<double>(layer.count())
                : 0;
  }

  Costs costs_of_model() const {
    std::vector<CostedLayer> costed;
    for (const Layer& layer : layers_) costed.push_back({layer.node, layer.weight});
    if (options_.unit == BudgetUnit::bytes)
      return Costs::of_bytes(*call_->graph, call_->target, costed);
    if (options_.unit == BudgetUnit::latency_ms) return Costs::of_latency(call_, costed);
    return Costs::of_weights(*call_->graph, costed);
  }

  std::vector<double> by_rule(const Costs& costs, double budget) const {
    return meet_budget(
        rule(), [&](std::span<const double> sparsities) { return costs.total(sparsities); }, budget,
        costs.unit());
  }

  Rule rule() const {
    if (options_.method == Method::uniform) return uniform_rule(layers_.size());
    if (options_.method == Method::erk) {
      std::vector<LayerSize> sizes;
      for (const Layer& layer : layers_) {
        const adze_tensor& weight = *call_->graph->values[layer.weight]->constant;
        LayerSize size{.rows = layer.rows,
                       .channels = layer.channels(),
                       .positions = layer.positions,
                       .sizes = 0};
        for (std::int32_t axis = 0; axis < weight.ndim; ++axis)
          size.sizes += static_cast<double>(weight.shape[axis]);
        sizes.push_back(size);
      }
      return erk_rule(std::move(sizes));
    }
    std::vector<std::span<const float>> weights;
    for (const Layer& layer : layers_)
      weights.push_back(adze::f32(call_->graph->values[layer.weight]->constant));
    return global_magnitude_rule(weights);
  }

  std::vector<double> levels() const {
    std::vector<double> levels = options_.levels;
    if (levels.empty()) levels.assign(std::begin(kDefaultLevels), std::end(kDefaultLevels));
    if (free_pattern_) {
      // Each N that keeps half of a group or less, and the same for what the user names.
      const auto group = static_cast<double>(asked_.group);
      for (double& level : levels) level = goal_of(level).sparsity;
      if (options_.levels.empty()) levels.clear();
      for (std::int64_t kept = asked_.group / 2; options_.levels.empty() && kept >= 1; --kept)
        levels.push_back(1 - static_cast<double>(kept) / group);
    }
    std::ranges::sort(levels);
    // What is asked for of all layers must be there for each.
    if (options_.budget == 0 && asked_.sparsity > levels.back()) levels.push_back(asked_.sparsity);
    levels.erase(std::ranges::unique(levels).begin(), levels.end());
    std::erase(levels, 0.0);
    return levels;
  }

  std::string search_options() const {
    char text[160];
    std::snprintf(text, sizeof text,
                  "search %d damping %.17g rho %.17g:%d samples %lld pattern %lld %lld %lld",
                  static_cast<int>(options_.layer.search), options_.layer.damping,
                  options_.layer.admm.rho, options_.layer.admm.most_iterations,
                  static_cast<long long>(options_.samples), static_cast<long long>(asked_.group),
                  static_cast<long long>(asked_.block_outputs),
                  static_cast<long long>(asked_.block_inputs));
    return text;
  }

  std::vector<double> by_error(const Costs& costs, double budget) {
    const std::vector<double> wanted = levels();
    // Before a search that takes minutes: a layer may become as sparse as its last level.
    const std::vector<double> sparsest(layers_.size(), wanted.empty() ? 0.0 : wanted.back()),
        dense(layers_.size(), 0.0);
    if (const double least = costs.total(sparsest); least > budget * (1 + 1e-12))
      fail_unreachable(budget, least, costs.total(dense), costs.unit());
    Database database({options_.database, Database::default_folder()},
                      database_key(call_, search_options()));
    fill(database, wanted);
    database.save();  // into the folder that has it not yet
    if (!database.problem().empty())
      call_->host->log(call_, ADZE_LOG_WARNING, database.problem().c_str());
    std::vector<ErrorCurve> curves;
    for (const Layer& layer : layers_)
      curves.push_back(curve_of(*database.find(name_of(layer), wanted)));
    const double step = free_pattern_ ? 1.0 / static_cast<double>(asked_.group) : 0.01;
    return plan_by_error(curves, costs, budget, step).sparsities;
  }

  /// Layers that the database has not, some at once as their memory allows.
  void fill(Database& database, const std::vector<double>& wanted) {
    std::vector<std::size_t> missing, part;
    for (std::size_t i = 0; i < layers_.size(); ++i)
      if (!database.missing(name_of(layers_[i]), wanted).empty()) missing.push_back(i);
    for (const std::size_t i : missing)
      for (const double level : database.missing(name_of(layers_[i]), wanted))
        progress_.expect(search_operations(layers_[i], level));
    double bytes = 0;
    for (const std::size_t i : missing) {
      const auto size = static_cast<double>(layers_[i].columns);
      const double own = 16 * size * size * static_cast<double>(layers_[i].groups);
      if (!part.empty() && bytes + own > kMostGramBytes) {
        search(part, database, wanted);
        part.clear();
        bytes = 0;
      }
      part.push_back(i);
      bytes += own;
    }
    if (!part.empty()) search(part, database, wanted);
  }

  void search(const std::vector<std::size_t>& part, Database& database,
              const std::vector<double>& wanted) {
    std::uint64_t samples = adze::need<adze_calibration>(call_, ADZE_CALIBRATION).sample_count;
    if (options_.samples > 0)
      samples = std::min(samples, static_cast<std::uint64_t>(options_.samples));
    std::vector<pruning::MomentsRequest> requests;
    for (const std::size_t i : part) {
      pruning::MomentsRequest request;
      request.layer = &layers_[i];
      const double enough = kColumnsAnInput * static_cast<double>(layers_[i].columns) /
                            positions_of(*call_->graph, layers_[i]);
      request.count = std::min(
          samples, std::max(kFewestSamples, static_cast<std::uint64_t>(std::min(enough, 1e9))));
      requests.push_back(request);
    }
    progress_.advance(0, "error database: calibrating");
    const std::vector<pruning::Moments> moments = pruning::collect_moments(call_, requests);
    for (std::size_t p = 0; p < part.size(); ++p) {
      const Layer& layer = layers_[part[p]];
      const std::string name = name_of(layer);
      DatabaseLayer found{.weights = layer.count(), .levels = {}};
      const std::uint8_t* keep = call_->graph->values[layer.weight]->keep;
      const std::span<const std::uint8_t> earlier(
          keep, keep ? static_cast<std::size_t>(layer.count()) : 0);
      const std::vector<double> levels = database.missing(name, wanted);
      for (const double level : levels) {
        progress_.advance(0, "error database: " + name + " at " + percent(level));
        try {
          const PrunedLayer pruned = prune_layer(layer, moments[p].groups, goal_of(level), earlier,
                                                 {}, options_.layer, for_each_);
          const auto kept = std::ranges::count(pruned.keep, std::uint8_t{1});
          found.levels.push_back({level, pruned.error, kept});
        } catch (const adze::Error& error) {
          throw adze::Error(error.code, "node '" + name + "': " + error.what());
        }
        progress_.advance(search_operations(layer, level), "error database: " + name);
      }
      database.store(name, std::move(found));
    }
  }

  void tell(const Costs& costs, double budget, const std::vector<Goal>& goals) const {
    double zeros = 0, weights = 0;
    std::size_t lowest = 0, highest = 0;
    std::vector<double> sparsities;
    for (std::size_t i = 0; i < goals.size(); ++i) {
      const auto count = static_cast<double>(layers_[i].count());
      zeros += std::max(goals[i].sparsity, earlier_sparsity(layers_[i])) * count;
      weights += count;
      sparsities.push_back(goals[i].sparsity);
      if (goals[i].sparsity < goals[lowest].sparsity) lowest = i;
      if (goals[i].sparsity > goals[highest].sparsity) highest = i;
    }
    char text[160];
    std::snprintf(text, sizeof text, "allocation: %.6g %s of %.6g, ", costs.total(sparsities),
                  costs.unit().c_str(), budget);
    const std::string line =
        text + percent(weights > 0 ? zeros / weights : 0) + " of the weights, from " +
        percent(goals[lowest].sparsity) + " (" + name_of(layers_[lowest]) + ") to " +
        percent(goals[highest].sparsity) + " (" + name_of(layers_[highest]) + ")" +
        (options_.unit == BudgetUnit::latency_ms
             ? "; by a model fitted to published times, not verified on hardware"
             : "");
    call_->host->log(call_, ADZE_LOG_INFO, line.c_str());
    if (highest == lowest && goals[lowest].sparsity == 0)
      call_->host->log(call_, ADZE_LOG_WARNING,
                       "the budget is met without pruning anything: every layer stays dense");
  }

  adze_call* call_;
  const std::vector<Layer>& layers_;
  Goal asked_;
  bool free_pattern_;
  const AllocationOptions& options_;
  Progress& progress_;
  ForEach for_each_;
};

}  // namespace

std::vector<Goal> choose_goals(adze_call* call, const std::vector<Layer>& layers, const Goal& asked,
                               bool free_pattern, const AllocationOptions& options,
                               Progress& progress) {
  return Allocator(call, layers, asked, free_pattern, options, progress).run();
}

}  // namespace reconstruct
