#include "plugins/reconstruct/exchange.hpp"

#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>

namespace reconstruct {
namespace {

constexpr int kMostRounds = 24;
constexpr double kCandidates = 0.5;  ///< of those that stay in a row: so many may come in
constexpr double kOfARow = 0.1;      ///< of those that stay in a row: so many leave at a time
/// A round that does not lower the error is repeated with half as many exchanges, so often.
constexpr int kMostHalvings = 4;

/// A weight, and what the error loses or gains with it.
struct Candidate {
  double error = 0;
  std::size_t place = 0;
};

/// One look at a mask: its exact error, up to a constant, and what single changes would do to it.
struct Look {
  double error = 0;
  std::vector<Candidate> leaving;   ///< what each weight that stays holds off, ascending
  std::vector<Candidate> entering;  ///< what each that left would take off, descending
};

class Exchange {
 public:
  Exchange(const Quadratic& problem, std::span<const std::uint8_t> earlier, const ForEach& for_each)
      : problem_(problem), earlier_(earlier), for_each_(for_each) {}

  double operations(std::span<const std::uint8_t> keep) const {
    double sum = 0;
    for (Eigen::Index row = 0; row < problem_.rows(); ++row) {
      const auto kept = static_cast<double>(support(keep, row).size());
      sum += kept * kept * kept * (2.0 / 3 + kCandidates);
    }
    return sum;
  }

  Look look(std::span<const std::uint8_t> keep) const {
    const auto rows = static_cast<std::size_t>(problem_.rows());
    std::vector<Look> of_rows(rows);
    for_each_(rows, [&](std::uint64_t row) {
      of_rows[row] = look_at_row(keep, static_cast<Eigen::Index>(row));
    });
    Look all;
    for (const Look& row : of_rows) {
      all.error += row.error;
      all.leaving.insert(all.leaving.end(), row.leaving.begin(), row.leaving.end());
      all.entering.insert(all.entering.end(), row.entering.begin(), row.entering.end());
    }
    std::ranges::stable_sort(all.leaving, {}, &Candidate::error);
    std::ranges::stable_sort(all.entering, std::greater<>(), &Candidate::error);
    return all;
  }

  /// Makes up to `most` of the exchanges that promise something, the best first; how many it were.
  std::size_t make(const Look& look, std::size_t most, std::vector<std::uint8_t>& keep) const {
    const auto columns = static_cast<std::size_t>(problem_.columns());
    std::vector<std::size_t> room;
    for (Eigen::Index row = 0; row < problem_.rows(); ++row)
      room.push_back(
          1 + static_cast<std::size_t>(kOfARow * static_cast<double>(support(keep, row).size())));
    std::vector<std::size_t> room_to_enter = room;
    std::size_t made = 0;
    auto leaves = look.leaving.begin();
    for (auto enters = look.entering.begin(); enters != look.entering.end() && made < most;
         ++enters) {
      if (room_to_enter[enters->place / columns] == 0) continue;
      while (leaves != look.leaving.end() && room[leaves->place / columns] == 0) ++leaves;
      if (leaves == look.leaving.end() || enters->error <= leaves->error) break;
      --room_to_enter[enters->place / columns];
      --room[leaves->place / columns];
      keep[enters->place] = 1;
      keep[(leaves++)->place] = 0;
      ++made;
    }
    return made;
  }

 private:
  std::vector<Eigen::Index> support(std::span<const std::uint8_t> keep, Eigen::Index row) const {
    std::vector<Eigen::Index> kept;
    for (Eigen::Index column = 0; column < problem_.columns(); ++column)
      if (keep[place(row, column)]) kept.push_back(column);
    return kept;
  }
  std::size_t place(Eigen::Index row, Eigen::Index column) const {
    return static_cast<std::size_t>(row * problem_.columns() + column);
  }

  Look look_at_row(std::span<const std::uint8_t> keep, Eigen::Index row) const {
    const Eigen::MatrixXd& gram = problem_.gram_of(row);
    const Eigen::VectorXd targets = problem_.targets.row(row).transpose();
    const std::vector<Eigen::Index> kept = support(keep, row);
    const auto count = static_cast<Eigen::Index>(kept.size());
    Look found;
    Eigen::VectorXd residual = targets;
    Eigen::LLT<Eigen::MatrixXd> factor;
    if (count > 0) {
      factor.compute(gram(kept, kept));
      if (factor.info() != Eigen::Success) return found;  // the refit will say so
      const Eigen::VectorXd wanted = targets(kept);
      const Eigen::VectorXd weights = factor.solve(wanted);
      found.error = -weights.dot(wanted);
      residual -= gram(Eigen::all, kept) * weights;
      const Eigen::MatrixXd inverse =
          factor.matrixL().solve(Eigen::MatrixXd::Identity(count, count));
      for (Eigen::Index i = 0; i < count; ++i)
        found.leaving.push_back({weights(i) * weights(i) / inverse.col(i).squaredNorm(),
                                 place(row, kept[static_cast<std::size_t>(i)])});
    }
    find_entering(keep, row, kept, residual, factor, found.entering);
    return found;
  }

  void find_entering(std::span<const std::uint8_t> keep, Eigen::Index row,
                     const std::vector<Eigen::Index>& kept, const Eigen::VectorXd& residual,
                     const Eigen::LLT<Eigen::MatrixXd>& factor,
                     std::vector<Candidate>& entering) const {
    const Eigen::MatrixXd& gram = problem_.gram_of(row);
    std::vector<Candidate> roughly;  // at least this much is gained
    for (Eigen::Index column = 0; column < problem_.columns(); ++column) {
      const std::size_t at = place(row, column);
      if (keep[at] || (!earlier_.empty() && !earlier_[at])) continue;
      roughly.push_back({residual(column) * residual(column) / gram(column, column), at});
    }
    std::ranges::stable_sort(roughly, std::greater<>(), &Candidate::error);
    const std::size_t most =
        4 + static_cast<std::size_t>(kCandidates * static_cast<double>(kept.size()));
    if (roughly.size() > most) roughly.resize(most);
    if (roughly.empty()) return;
    std::vector<Eigen::Index> columns;
    for (const Candidate& one : roughly)
      columns.push_back(static_cast<Eigen::Index>(one.place) - row * problem_.columns());
    Eigen::VectorXd powers = gram.diagonal()(columns);
    if (!kept.empty()) {
      const Eigen::MatrixXd explained = factor.matrixL().solve(gram(kept, columns));
      powers -= explained.colwise().squaredNorm().transpose();
    }
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const double power = powers(static_cast<Eigen::Index>(i)), rest = residual(columns[i]);
      if (power > 1e-12 * gram(columns[i], columns[i]))
        entering.push_back({rest * rest / power, roughly[i].place});
    }
  }

  const Quadratic& problem_;
  std::span<const std::uint8_t> earlier_;
  const ForEach& for_each_;
};

}  // namespace

std::vector<std::uint8_t> exchange(const Quadratic& problem, std::vector<std::uint8_t> keep,
                                   std::span<const std::uint8_t> earlier, double operations,
                                   const ForEach& for_each) {
  const Exchange exchange(problem, earlier, for_each);
  const int rounds = static_cast<int>(
      std::min(operations / std::max(exchange.operations(keep), 1.0), double{kMostRounds}));
  if (rounds < 2) return keep;  // the first only looks
  const pruning::OneBlasThread one_thread;
  Look best = exchange.look(keep);
  std::size_t most = keep.size();
  for (int round = 1, halvings = 0; round < rounds && halvings <= kMostHalvings; ++round) {
    std::vector<std::uint8_t> tried = keep;
    const std::size_t made = exchange.make(best, most, tried);
    if (made == 0) break;
    Look look = exchange.look(tried);
    if (look.error < best.error) {
      best = std::move(look);
      keep = std::move(tried);
    } else {
      most = made / 2;
      ++halvings;
      if (most == 0) break;
    }
  }
  return keep;
}

}  // namespace reconstruct
