// One layer, pruned to a goal: what the walk over the model and the search for an allocation share.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "plugins/reconstruct/admm.hpp"
#include "plugins/reconstruct/problem.hpp"

namespace reconstruct {

enum class Search {
  admm,   ///< the best masks
  sweep,  ///< column by column: faster, less good
};

struct LayerOptions {
  Search search = Search::admm;
  double damping = 1e-3;  ///< share of the inputs' mean power that pulls towards the weights before
  AdmmOptions admm;
  double exchange = 0.25;  ///< effort of exchanging weights afterwards, beside the search's
  bool refit = true;       ///< false: only the mask is wanted; weights and error stay empty
};

struct PrunedLayer {
  RowMatrix weights;               ///< a row an output, then its bias (times Layer::bias_factor)
  std::vector<std::uint8_t> keep;  ///< a byte a weight, row by row, whatever Layer's strides
  double error = 0;                ///< relative_error(), refitted
  int iterations = 0, factorizations = 0;
};

/// `problems`: the layer's moments (pruning::collect_moments), one a group; masks are searched for
/// what they say the layer should answer. `earlier`: mask of earlier stages in memory order, or
/// empty; it stays. `fixed`: a mask that the user gives, in memory order, or empty; nothing is
/// searched then. `for_each` is the only parallelism; results do not depend on it.
/// Errors: adze::Error INVALID_ARGUMENT for a pattern that the layer cannot hold;
/// FAILED_PRECONDITION for equations without a single solution (only with damping 0).
PrunedLayer prune_layer(const Layer& layer, std::span<const RefitProblem> problems,
                        const Goal& goal, std::span<const std::uint8_t> earlier,
                        std::span<const std::uint8_t> fixed, const LayerOptions& options,
                        const ForEach& for_each);

/// Operations of prune_layer(), roughly.
double search_operations(const Layer& layer, double sparsity);

/// The exact refit of a mask (row by row) to what `problems` ask for.
RowMatrix refit_mask(std::span<const RefitProblem> problems, std::span<const std::uint8_t> keep,
                     double damping, const ForEach& for_each);

}  // namespace reconstruct
