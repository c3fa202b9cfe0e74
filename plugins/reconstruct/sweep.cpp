#include "plugins/reconstruct/sweep.hpp"

#include <Eigen/Cholesky>
#include <algorithm>

#include "plugins/pruning/mask.hpp"

namespace reconstruct {
namespace {

constexpr Eigen::Index kBlock = 128;

/// Columns in the order they are swept: the channels at the first kernel position, those at the
/// second, and so on, so that a group of channels is together.
std::vector<Eigen::Index> order_of(const Layer& layer) {
  std::vector<Eigen::Index> order;
  for (std::int64_t position = 0; position < layer.positions; ++position)
    for (std::int64_t channel = 0; channel < layer.channels(); ++channel)
      order.push_back(channel * layer.positions + position);
  return order;
}

/// First columns of the blocks, and the end. A block never parts a group of the pattern.
std::vector<Eigen::Index> blocks_of(const Layer& layer, const Goal& goal) {
  std::vector<Eigen::Index> starts;
  if (goal.group == 0) {
    for (Eigen::Index at = 0; at < layer.columns; at += kBlock) starts.push_back(at);
  } else {
    const Eigen::Index step = kBlock / goal.group * goal.group;
    for (std::int64_t position = 0; position < layer.positions; ++position)
      for (Eigen::Index at = 0; at < layer.channels(); at += step)
        starts.push_back(position * layer.channels() + at);
  }
  starts.push_back(layer.columns);
  return starts;
}

/// The upper factor U of H^-1 = U^T U: row j says how a change of column j is made up for by the
/// columns after it.
RowMatrix compensation(const Eigen::MatrixXd& gram) {
  const Eigen::LLT<Eigen::MatrixXd> factor(gram);
  const Eigen::MatrixXd inverse = factor.solve(Eigen::MatrixXd::Identity(gram.rows(), gram.cols()));
  const Eigen::LLT<Eigen::MatrixXd> of_inverse(inverse);
  if (factor.info() != Eigen::Success || of_inverse.info() != Eigen::Success)
    throw adze::Error(ADZE_FAILED_PRECONDITION,
                      "the calibration samples do not determine its weights (singular Gram "
                      "matrix); raise `damping` or give more samples");
  return of_inverse.matrixU();
}

std::vector<std::uint8_t> choose_in_block(const RowMatrix& weights, const RowMatrix& upper,
                                          Eigen::Index first, Eigen::Index end, const Goal& goal) {
  Layer block;
  block.rows = weights.rows();
  block.columns = end - first;
  std::vector<double> scores;
  for (Eigen::Index row = 0; row < weights.rows(); ++row)
    for (Eigen::Index column = first; column < end; ++column) {
      const double loss = weights(row, column) / upper(column, column);
      scores.push_back(loss * loss);
    }
  Goal of_block = goal;
  of_block.group = std::min<std::int64_t>(goal.group, end - first);
  if (goal.group)
    of_block.kept = std::max<std::int64_t>(1, goal.kept * of_block.group / goal.group);
  return pruning::choose_mask(block.by_rows(), of_block, scores, {});
}

struct Group {
  RowMatrix weights;  ///< columns in the order of the sweep
  pruning::MaskMatrix keep;
};

Group sweep_group(const Eigen::MatrixXd& gram, RowMatrix weights, const Layer& layer,
                  const Goal& goal, const ForEach& for_each) {
  const std::vector<Eigen::Index> order = order_of(layer), starts = blocks_of(layer, goal);
  const RowMatrix upper = compensation(gram(order, order));
  Group swept{weights(Eigen::all, order), {weights.rows(), weights.cols()}};
  RowMatrix& w = swept.weights;
  constexpr Eigen::Index kRows = 32;
  for (std::size_t b = 0; b + 1 < starts.size(); ++b) {
    const Eigen::Index first = starts[b], end = starts[b + 1], width = end - first;
    const auto keep = choose_in_block(w, upper, first, end, goal);
    for_each(static_cast<std::uint64_t>((w.rows() + kRows - 1) / kRows), [&](std::uint64_t tile) {
      const Eigen::Index top = static_cast<Eigen::Index>(tile) * kRows;
      const Eigen::Index rows = std::min(kRows, w.rows() - top);
      RowMatrix errors = RowMatrix::Zero(rows, width);
      for (Eigen::Index row = top; row < top + rows; ++row)
        for (Eigen::Index column = first; column < end; ++column) {
          const bool stays = keep[static_cast<std::size_t>(row * width + column - first)] != 0;
          swept.keep(row, column) = stays;
          if (stays) continue;
          const double error = w(row, column) / upper(column, column);
          errors(row - top, column - first) = error;
          w.row(row).segment(column, end - column) -=
              error * upper.row(column).segment(column, end - column);
          w(row, column) = 0;
        }
      w.block(top, end, rows, w.cols() - end).noalias() -=
          errors * upper.block(first, end, width, w.cols() - end);
    });
  }
  Group in_place = swept;
  for (std::size_t i = 0; i < order.size(); ++i) {
    in_place.weights.col(order[i]) = swept.weights.col(static_cast<Eigen::Index>(i));
    in_place.keep.col(order[i]) = swept.keep.col(static_cast<Eigen::Index>(i));
  }
  return in_place;
}

}  // namespace

Swept sweep(const Quadratic& problem, const Layer& layer, const Goal& goal,
            const ForEach& for_each) {
  if (goal.in_blocks())
    throw adze::Error(ADZE_UNIMPLEMENTED,
                      "`fast` prunes without a pattern or N:M, not in blocks; leave it out");
  const pruning::OneBlasThread one;
  Swept swept;
  swept.weights.resize(problem.rows(), problem.columns());
  for (std::size_t group = 0; group < problem.gram.size(); ++group) {
    const Eigen::Index first = static_cast<Eigen::Index>(group) * problem.group_rows();
    // What the samples ask for on all columns: the weights themselves, but where the layer is to
    // answer something else than it did.
    const Eigen::LLT<Eigen::MatrixXd> factor(problem.gram[group]);
    const RowMatrix start =
        factor.solve(problem.targets.middleRows(first, problem.group_rows()).transpose())
            .transpose();
    const Group done = sweep_group(problem.gram[group], start, layer, goal, for_each);
    swept.weights.middleRows(first, problem.group_rows()) = done.weights;
    for (Eigen::Index row = 0; row < done.keep.rows(); ++row)
      for (Eigen::Index column = 0; column < done.keep.cols(); ++column)
        swept.keep.push_back(done.keep(row, column));
  }
  return swept;
}

}  // namespace reconstruct
