// How far each layer of a stage is pruned: from what the user asks for to one goal a layer.
#pragma once

#include <adze/adze.hpp>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "plugins/reconstruct/allocation_database.hpp"
#include "plugins/reconstruct/progress.hpp"
#include "plugins/reconstruct/prune_layer.hpp"

namespace reconstruct {

enum class Method {
  error,    ///< the least sum of errors, by the error database
  uniform,  ///< the same everywhere
  erk,      ///< by the sizes of the layers
  global,   ///< the smallest weights of all layers
};

struct AllocationOptions {
  Method method = Method::error;
  BudgetUnit unit = BudgetUnit::weights;
  /// In `unit`. 0: what the sparsity of the goal in every layer would take.
  double budget = 0;
  std::vector<double> levels;      ///< of the error database; empty: kDefaultLevels
  std::filesystem::path database;  ///< folder beside the user's cache; empty: the cache alone
  std::int64_t samples = 0;        ///< at most so many of the calibration samples; 0: all
  LayerOptions layer;
};

/// Close together where errors rise fast; between them curves are interpolated.
inline constexpr double kDefaultLevels[] = {0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98};

/// One goal a layer. `asked`: what `sparsity` and `pattern` say; `free_pattern`: the pattern is :M,
/// so that N may differ by layer. With a pattern N:M there is nothing to choose, and all get it.
/// `progress`: is told of the search, which it did not expect before.
/// Errors: adze::Error INVALID_ARGUMENT for a budget out of reach, naming what can be reached;
/// those of calibration, adze.latency/1 and prune_layer().
std::vector<Goal> choose_goals(adze_call* call, const std::vector<Layer>& layers, const Goal& asked,
                               bool free_pattern, const AllocationOptions& options,
                               Progress& progress);

}  // namespace reconstruct
