#include "plugins/channel/selection.hpp"

#include <Eigen/Cholesky>
#include <adze/adze.hpp>
#include <algorithm>
#include <limits>
#include <numeric>
#include <optional>

namespace channel {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;

/// A reader while channels leave.
class Follower {
 public:
  Follower(Reader reader, double damping) : reader_(std::move(reader)), inputs_(inputs()) {
    if (reader_.gram.size() == 0) {
      MatrixXd squares = reader_.weight.leftCols(inputs_).cwiseAbs2();
      signal_ = (squares * reader_.power).sum();
      return;
    }
    means_ = reader_.gram.col(inputs_).head(inputs_);
    MatrixXd moments = reader_.gram.topLeftCorner(inputs_, inputs_);
    const MatrixXd centered = moments - means_ * means_.transpose();
    if (reader_.moves_bias) moments = centered;
    const MatrixXd weight = reader_.weight.leftCols(inputs_);
    signal_ = (weight * centered).cwiseProduct(weight).sum();
    if (reader_.refits) {
      first_ = reader_.weight;
      const double mean = moments.diagonal().mean();
      moments.diagonal().array() += mean > 0 ? damping * mean : 1.0;
      const Eigen::LLT<MatrixXd> factor(moments);
      if (factor.info() != Eigen::Success)
        throw adze::Error(ADZE_FAILED_PRECONDITION,
                          "the calibration samples do not determine its weights (singular Gram "
                          "matrix); raise `damping` or give more samples");
      inverse_ = factor.solve(MatrixXd::Identity(inputs_, inputs_));
    } else {
      lost_ = RowMatrix::Zero(reader_.weight.rows(), inputs_);
    }
    reader_.gram = std::move(moments);
  }

  /// What the answers lose when the channel leaves as well, in relation to their variance.
  double cost(std::uint32_t channel) const {
    const auto& columns = reader_.columns[channel];
    double cost = 0;
    if (reader_.gram.size() == 0) {
      for (const Index column : columns)
        cost += reader_.weight.col(column).squaredNorm() * reader_.power(column);
    } else if (reader_.refits) {
      const MatrixXd weight = reader_.weight(Eigen::all, columns);
      const MatrixXd block = inverse_(columns, columns);
      // The weight's own Gram matrix is smaller than the weight.
      cost = block.llt().solve(weight.transpose() * weight).trace();
    } else {
      const MatrixXd weight = reader_.weight(Eigen::all, columns);
      const MatrixXd block = reader_.gram(columns, columns);
      const MatrixXd before = lost_(Eigen::all, columns);
      cost = (weight * block + 2 * before).cwiseProduct(weight).sum();
    }
    return signal_ > 0 ? cost / signal_ : 0;
  }

  void remove(std::uint32_t channel) {
    const auto& columns = reader_.columns[channel];
    if (reader_.gram.size() > 0 && reader_.refits) {
      const MatrixXd block = inverse_(columns, columns);
      const MatrixXd rows = inverse_(columns, Eigen::all);
      const MatrixXd share = block.llt().solve(rows);  // of each column in what leaves
      const MatrixXd weight = reader_.weight(Eigen::all, columns);
      reader_.weight.leftCols(inputs_).noalias() -= weight * share;
      inverse_.noalias() -= rows.transpose() * share;
      for (const Index column : columns) {
        inverse_.row(column).setZero();
        inverse_.col(column).setZero();
        inverse_(column, column) = 1;  // so that what meets it later can be inverted
      }
      if (reader_.keep.size() > 0)
        reader_.weight.leftCols(inputs_).array() *= reader_.keep.cast<double>().array();
    } else if (reader_.gram.size() > 0) {
      const MatrixXd weight = reader_.weight(Eigen::all, columns);
      lost_.noalias() += weight * reader_.gram(columns, Eigen::all);
    }
    for (const Index column : columns) reader_.weight.col(column).setZero();
    if (!reader_.rows.empty())
      for (const Index row : reader_.rows[channel]) reader_.weight.row(row).setZero();
  }

  Eigen::MatrixXf weight() const {
    if (reader_.gram.size() == 0 || !reader_.refits) return {};
    RowMatrix weight = reader_.weight;
    if (reader_.moves_bias) weight.col(inputs_) += (first_ - weight).leftCols(inputs_) * means_;
    return weight.cast<float>();
  }

 private:
  Index inputs() const { return reader_.weight.cols() - 1; }

  Reader reader_;
  Index inputs_;
  double signal_ = 0;
  RowMatrix first_, lost_;
  Eigen::VectorXd means_;
  MatrixXd inverse_;
};

std::vector<Eigen::MatrixXf> weights_of(const std::vector<Follower>& followers) {
  std::vector<Eigen::MatrixXf> weights;
  for (const Follower& follower : followers) weights.push_back(follower.weight());
  return weights;
}

}  // namespace

Removal choose_removal(std::vector<Reader> readers, std::uint32_t channels,
                       const std::vector<std::uint32_t>& levels, double damping,
                       const std::function<void(double)>& progress) {
  const pruning::OneBlasThread one;
  std::vector<Follower> followers;
  for (Reader& reader : readers) followers.emplace_back(std::move(reader), damping);
  std::vector<std::uint32_t> left(channels);
  std::iota(left.begin(), left.end(), 0u);
  Removal removal{.order = {}, .error = {0}, .weights = {}};
  for (const std::uint32_t level : levels) {
    while (removal.order.size() < level) {
      auto best = left.begin();
      double least = std::numeric_limits<double>::infinity();
      for (auto at = left.begin(); at != left.end(); ++at) {
        double cost = 0;
        for (const Follower& follower : followers) cost += follower.cost(*at);
        if (cost < least) least = cost, best = at;
      }
      for (Follower& follower : followers) follower.remove(*best);
      removal.order.push_back(*best);
      removal.error.push_back(removal.error.back() + least);
      left.erase(best);
      progress(static_cast<double>(removal.order.size()) / levels.back());
    }
    removal.weights.push_back(weights_of(followers));
  }
  return removal;
}

Removal choose_by_norm(const std::vector<Reader>& readers, std::uint32_t channels,
                       const std::vector<std::uint32_t>& levels) {
  std::vector<double> norms(channels, 0.0);
  for (const Reader& reader : readers) {
    const double all = reader.weight.leftCols(reader.weight.cols() - 1).squaredNorm();
    for (std::uint32_t channel = 0; all > 0 && channel < channels; ++channel)
      for (const Index column : reader.columns[channel])
        norms[channel] += reader.weight.col(column).squaredNorm() / all;
  }
  std::vector<std::uint32_t> order(channels);
  std::iota(order.begin(), order.end(), 0u);
  std::ranges::stable_sort(order, {}, [&](std::uint32_t channel) { return norms[channel]; });
  order.resize(levels.empty() ? 0 : levels.back());
  Removal removal{.order = order, .error = {0}, .weights = {}};
  for (const std::uint32_t channel : order)
    removal.error.push_back(removal.error.back() + norms[channel]);
  removal.weights.assign(levels.size(), std::vector<Eigen::MatrixXf>(readers.size()));
  return removal;
}

}  // namespace channel
