#include "plugins/reconstruct/prune_layer.hpp"

#include <algorithm>
#include <cmath>

#include "plugins/pruning/mask.hpp"
#include "plugins/reconstruct/exchange.hpp"
#include "plugins/reconstruct/sweep.hpp"

namespace reconstruct {
namespace {

/// From the weight's order in memory to row by row.
std::vector<std::uint8_t> by_rows(const Layer& layer, std::span<const std::uint8_t> mask) {
  std::vector<std::uint8_t> rows;
  if (mask.empty()) return rows;
  for (std::int64_t row = 0; row < layer.rows; ++row)
    for (std::int64_t column = 0; column < layer.columns; ++column)
      rows.push_back(mask[layer.index(row, column)]);
  return rows;
}

RowMatrix dense_of(std::span<const RefitProblem> problems) {
  const Eigen::Index rows = problems[0].dense.rows();
  RowMatrix dense(rows * static_cast<Eigen::Index>(problems.size()), problems[0].dense.cols());
  for (std::size_t group = 0; group < problems.size(); ++group)
    dense.middleRows(static_cast<Eigen::Index>(group) * rows, rows) = problems[group].dense;
  return dense;
}

RowMatrix solve_mask(const Quadratic& problem, const RowMatrix& dense,
                     std::span<const std::uint8_t> keep, const ForEach& for_each) {
  RowMatrix solved = dense;
  const Eigen::Index rows = problem.group_rows(), columns = problem.columns();
  for (std::size_t group = 0; group < problem.gram.size(); ++group) {
    const Eigen::Index first = static_cast<Eigen::Index>(group) * rows;
    const pruning::MaskMatrix mask =
        Eigen::Map<const pruning::MaskMatrix>(keep.data() + first * columns, rows, columns);
    RowMatrix part(rows, columns);
    const Eigen::MatrixXd targets = problem.targets.middleRows(first, rows).transpose();
    pruning::solve_rows(problem.gram[group], targets, mask, false, part, for_each);
    solved.block(first, 0, rows, columns) = part;
  }
  if (problem.output_means.size())
    solved.col(columns) = bias_for(problem, solved.leftCols(columns));
  return solved;
}

std::vector<std::uint8_t> search(const Quadratic& problem, const Layer& layer, const Goal& goal,
                                 const std::vector<std::uint8_t>& earlier,
                                 const LayerOptions& options, const ForEach& for_each,
                                 PrunedLayer& pruned) {
  if (options.search == Search::sweep && earlier.empty())
    return sweep(problem, layer, goal, for_each).keep;
  AdmmMask found = find_mask(
      problem,
      [&](std::span<const double> scores) {
        return pruning::choose_mask(layer.by_rows(), goal, scores, earlier);
      },
      options.admm, for_each);
  pruned.iterations = found.iterations;
  pruned.factorizations = found.factorizations;
  const bool is_free = goal.group == 0 && !goal.in_blocks();
  if (!is_free || options.exchange <= 0) return std::move(found.keep);
  const double effort = options.exchange * search_operations(layer, goal.sparsity);
  return exchange(problem, std::move(found.keep), earlier, effort, for_each);
}

}  // namespace

double search_operations(const Layer& layer, double sparsity) {
  const auto rows = static_cast<double>(layer.rows), columns = static_cast<double>(layer.columns);
  const double kept = (1 - sparsity) * columns;
  constexpr double kIterations = 50, kFactorizations = 12, kRefits = 4;
  return kIterations * 2 * rows * columns * columns +
         kFactorizations * std::pow(columns, 3) / 3 * static_cast<double>(layer.groups) +
         kRefits * rows * std::pow(kept, 3) / 3;
}

RowMatrix refit_mask(std::span<const RefitProblem> problems, std::span<const std::uint8_t> keep,
                     double damping, const ForEach& for_each) {
  return solve_mask(quadratic_of(problems, damping), dense_of(problems), keep, for_each);
}

PrunedLayer prune_layer(const Layer& layer, std::span<const RefitProblem> problems,
                        const Goal& goal, std::span<const std::uint8_t> earlier,
                        std::span<const std::uint8_t> fixed, const LayerOptions& options,
                        const ForEach& for_each) {
  PrunedLayer pruned;
  const std::vector<std::uint8_t> before = by_rows(layer, earlier);
  const Quadratic problem = quadratic_of(problems, options.damping);
  if (!fixed.empty() || (goal.sparsity <= 0 && goal.group == 0)) {
    pruned.keep = fixed.empty()
                      ? std::vector<std::uint8_t>(static_cast<std::size_t>(layer.count()), 1)
                      : by_rows(layer, fixed);
    for (std::size_t i = 0; i < before.size(); ++i) pruned.keep[i] = pruned.keep[i] && before[i];
  } else {
    pruned.keep = search(problem, layer, goal, before, options, for_each, pruned);
  }
  if (!options.refit) return pruned;
  pruned.weights = solve_mask(problem, dense_of(problems), pruned.keep, for_each);
  pruned.error = relative_error(problems, pruned.weights);
  return pruned;
}

}  // namespace reconstruct
