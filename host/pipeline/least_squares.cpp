#include "host/pipeline/least_squares.hpp"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>

namespace adze::host {
namespace {

using Dense = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

Eigen::VectorXd solve_nonnegative(const Eigen::MatrixXd& a, const Eigen::VectorXd& b) {
  const Eigen::Index n = a.cols();
  Eigen::VectorXd x = Eigen::VectorXd::Zero(n);
  std::vector<char> free(static_cast<std::size_t>(n), 0);
  const double tolerance = 1e-10 * std::max(1.0, (a.transpose() * b).cwiseAbs().maxCoeff());
  // Least squares over the free variables; the others are 0.
  const auto solve_free = [&] {
    std::vector<Eigen::Index> columns;
    for (Eigen::Index i = 0; i < n; ++i)
      if (free[static_cast<std::size_t>(i)]) columns.push_back(i);
    Eigen::VectorXd full = Eigen::VectorXd::Zero(n);
    if (columns.empty()) return full;
    const Eigen::VectorXd part = a(Eigen::all, columns).colPivHouseholderQr().solve(b);
    for (std::size_t i = 0; i < columns.size(); ++i)
      full[columns[i]] = part[static_cast<Eigen::Index>(i)];
    return full;
  };
  for (Eigen::Index round = 0; round < 3 * n; ++round) {
    const Eigen::VectorXd gradient = a.transpose() * (b - a * x);
    Eigen::Index best = -1;
    for (Eigen::Index i = 0; i < n; ++i)
      if (!free[static_cast<std::size_t>(i)] && gradient[i] > tolerance &&
          (best < 0 || gradient[i] > gradient[best]))
        best = i;
    if (best < 0) break;
    free[static_cast<std::size_t>(best)] = 1;
    for (;;) {
      const Eigen::VectorXd wanted = solve_free();
      // As far towards it as every variable stays positive; those that stop it leave.
      double step = 1;
      for (Eigen::Index i = 0; i < n; ++i)
        if (free[static_cast<std::size_t>(i)] && wanted[i] <= 0)
          step = std::min(step, x[i] / std::max(x[i] - wanted[i], 1e-300));
      if (step >= 1) {
        x = wanted;
        break;
      }
      x += step * (wanted - x);
      for (Eigen::Index i = 0; i < n; ++i)
        if (free[static_cast<std::size_t>(i)] && wanted[i] <= 0 && x[i] <= 1e-14) {
          x[i] = 0;
          free[static_cast<std::size_t>(i)] = 0;
        }
    }
  }
  return x.cwiseMax(0);
}

Eigen::VectorXd to_vector(std::span<const double> values) {
  return Eigen::Map<const Eigen::VectorXd>(values.data(), static_cast<Eigen::Index>(values.size()));
}

Eigen::MatrixXd to_dense(const Matrix& a) {
  return Eigen::Map<const Dense>(a.values.data(), static_cast<Eigen::Index>(a.rows()),
                                 static_cast<Eigen::Index>(a.columns));
}

std::vector<double> to_list(const Eigen::VectorXd& x) { return {x.begin(), x.end()}; }

}  // namespace

std::vector<double> nonnegative_least_squares(const Matrix& a, std::span<const double> b) {
  if (a.columns == 0 || b.empty()) return std::vector<double>(a.columns, 0.0);
  return to_list(solve_nonnegative(to_dense(a), to_vector(b)));
}

std::vector<double> robust_relative_fit(const Matrix& a, std::span<const double> b,
                                        std::span<const double> offset, double floor) {
  constexpr int kRounds = 30;
  constexpr double kKnee = 0.08;  // relative errors above it count linearly
  if (a.columns == 0 || b.empty()) return std::vector<double>(a.columns, 0.0);
  const Eigen::VectorXd measured = to_vector(b), fixed = to_vector(offset);
  Eigen::MatrixXd scaled = to_dense(a);
  Eigen::VectorXd scale = scaled.cwiseAbs().colwise().maxCoeff();
  for (double& s : scale)
    if (!(s > 0)) s = 1;
  scaled *= scale.cwiseInverse().asDiagonal();
  Eigen::ArrayXd weight = measured.array().max(floor).inverse();
  Eigen::ArrayXd trust = Eigen::ArrayXd::Ones(measured.size());
  Eigen::VectorXd x;
  for (int round = 0; round < kRounds; ++round) {
    const Eigen::VectorXd row_weight = (weight * trust).matrix();
    x = solve_nonnegative(row_weight.asDiagonal() * scaled,
                          row_weight.cwiseProduct(measured - fixed));
    const Eigen::ArrayXd predicted = (fixed + scaled * x).array();
    const Eigen::ArrayXd error = (predicted - measured.array()).abs() * weight;
    trust = (error.max(kKnee) / kKnee).sqrt().inverse();
    // Between measured and predicted, so that too much and too little weigh alike.
    weight = (measured.array() * predicted.max(measured.array() / 4)).sqrt().max(floor).inverse();
  }
  return to_list(x.cwiseQuotient(scale));
}

}  // namespace adze::host
