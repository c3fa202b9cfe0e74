#include "plugins/reconstruct/admm.hpp"

#include <algorithm>
#include <cmath>

#include "plugins/reconstruct/cholesky.hpp"

namespace reconstruct {
namespace {

// The state is T = B + V / rho with the dense solution B and the multipliers V. The sparse solution
// is T where the mask keeps, and the next multipliers are rho T elsewhere, so that T and the mask
// are all there is to remember.
class Admm {
 public:
  Admm(const Quadratic& problem, const Choose& choose, const AdmmOptions& options,
       const ForEach& for_each)
      : problem_(problem), choose_(choose), options_(options), for_each_(for_each) {
    const Eigen::Index group_rows = problem.group_rows();
    // A quarter of the rows, so that few outputs still give work to several threads; long vectors
    // are solved for few at a time, which stay in the cache.
    const Eigen::Index tile = std::clamp<Eigen::Index>((group_rows + 3) / 4, 8, 128);
    for (Eigen::Index first = 0; first < problem.rows(); first += group_rows)
      for (Eigen::Index at = 0; at < group_rows; at += tile)
        tiles_.push_back({first + at, std::min(tile, group_rows - at)});
    scale();
  }

  AdmmMask run() {
    AdmmMask found;
    double rho = options_.rho;
    for (int restarts = 0;; ++restarts) {
      const bool settled_at_once = search(rho, found);
      if (!settled_at_once || restarts == 3) break;
      rho /= 5;
    }
    found.keep = std::move(keep_);
    return found;
  }

 private:
  struct Tile {
    Eigen::Index first, rows;
  };

  /// Columns get unit power, so that a weight's magnitude says what it contributes.
  void scale() {
    for (const Eigen::MatrixXd& gram : problem_.gram) {
      const Eigen::VectorXd powers = gram.diagonal().cwiseSqrt();
      powers_.push_back(powers);
      factors_.emplace_back(gram.rows(), gram.cols());
      Eigen::MatrixXd& scaled = factors_.back();
      for_each_(static_cast<std::uint64_t>(gram.cols()), [&](std::uint64_t i) {
        const auto column = static_cast<Eigen::Index>(i);
        scaled.col(column) =
            (gram.col(column).array() / (powers.array() * powers(column))).matrix();
      });
    }
    targets_.resize(problem_.rows(), problem_.columns());
    state_.resize(problem_.rows(), problem_.columns());
    scores_.resize(static_cast<std::size_t>(state_.size()));
    over_tiles([&](const Tile& tile) {
      const auto powers = powers_of(tile).transpose().array();
      for (Eigen::Index row = tile.first; row < tile.first + tile.rows; ++row)
        targets_.row(row) = problem_.targets.row(row).array() / powers;
    });
  }

  const Eigen::VectorXd& powers_of(const Tile& tile) const {
    return powers_[static_cast<std::size_t>(tile.first / problem_.group_rows())];
  }

  template <class Body>
  void over_tiles(const Body& body) {
    for_each_(tiles_.size(), [&](std::uint64_t i) { body(tiles_[i]); });
  }

  void rank(const Tile& tile) {
    const Eigen::Index first = tile.first * state_.cols(), count = tile.rows * state_.cols();
    for (Eigen::Index i = first; i < first + count; ++i)
      scores_[static_cast<std::size_t>(i)] = state_.data()[i] * state_.data()[i];
  }

  void factorize_all(double rho, AdmmMask& found) {
    for (Eigen::MatrixXd& factor : factors_)
      if (!factorize(factor, 1 + rho, for_each_))
        throw adze::Error(ADZE_FAILED_PRECONDITION,
                          "the calibration samples do not determine its weights (singular Gram "
                          "matrix); raise `damping` or give more samples");
    ++found.factorizations;
  }

  void step(const Tile& tile, double rho, double rho_of_multipliers) {
    const Eigen::Index size = tile.rows * state_.cols();
    double* state = state_.data() + tile.first * state_.cols();
    const double* targets = targets_.data() + tile.first * state_.cols();
    const std::uint8_t* keep = keep_.data() + tile.first * state_.cols();
    std::vector<double> shift(static_cast<std::size_t>(size));  // V / rho
    for (Eigen::Index i = 0; i < size; ++i) {
      const double multiplier = keep[i] ? 0 : rho_of_multipliers * state[i];
      shift[static_cast<std::size_t>(i)] = multiplier / rho;
      state[i] = targets[i] + (keep[i] ? rho * state[i] : -multiplier);
    }
    solve(factors_[static_cast<std::size_t>(tile.first / problem_.group_rows())], state, tile.rows);
    for (Eigen::Index i = 0; i < size; ++i) state[i] += shift[static_cast<std::size_t>(i)];
    rank(tile);
  }

  std::size_t kept() const {
    return static_cast<std::size_t>(std::count(keep_.begin(), keep_.end(), std::uint8_t{1}));
  }

  /// True when the supports agreed before rho was ever raised.
  bool search(double rho, AdmmMask& found) {
    over_tiles([&](const Tile& tile) {
      const auto powers = powers_of(tile).transpose().array();
      for (Eigen::Index row = tile.first; row < tile.first + tile.rows; ++row)
        state_.row(row) = problem_.dense.row(row).array() * powers;
      rank(tile);
    });
    keep_ = choose_(scores_);
    const double all = static_cast<double>(std::max<std::size_t>(kept(), 1));
    std::vector<std::uint8_t> compared = keep_;
    double rho_of_multipliers = 0;
    bool raised = false;
    factorize_all(rho, found);
    for (int iteration = 1; iteration <= options_.most_iterations; ++iteration) {
      over_tiles([&](const Tile& tile) { step(tile, rho, rho_of_multipliers); });
      rho_of_multipliers = rho;
      keep_ = choose_(scores_);
      ++found.iterations;
      if (iteration % 3 != 0) continue;

      std::size_t changes = 0;
      for (std::size_t i = 0; i < keep_.size(); ++i) changes += keep_[i] != compared[i];
      compared = keep_;
      const double changed = static_cast<double>(changes) / all;
      if (changes == 0) return !raised;
      if (iteration >= 30 && changed < 0.0003) return false;
      rho *= changed > 0.1 ? 1.3 : changed > 0.005 ? 1.2 : 1.1;
      raised = true;
      factorize_all(rho, found);
    }
    return false;
  }

  const Quadratic& problem_;
  const Choose& choose_;
  AdmmOptions options_;
  const ForEach& for_each_;
  std::vector<Tile> tiles_;
  std::vector<Eigen::MatrixXd> factors_;  ///< upper: the scaled Gram matrix; lower: its factor
  std::vector<Eigen::VectorXd> powers_;
  RowMatrix targets_, state_;
  std::vector<double> scores_;
  std::vector<std::uint8_t> keep_;
};

}  // namespace

AdmmMask find_mask(const Quadratic& problem, const Choose& choose, const AdmmOptions& options,
                   const ForEach& for_each) {
  return Admm(problem, choose, options, for_each).run();
}

}  // namespace reconstruct
