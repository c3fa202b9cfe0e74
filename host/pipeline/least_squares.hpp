// Non-negative least squares, plain and robust, for small dense problems.
#pragma once

#include <span>
#include <vector>

namespace adze::host {

/// A matrix by rows.
struct Matrix {
  std::size_t columns = 0;
  std::vector<double> values;
  std::size_t rows() const { return columns ? values.size() / columns : 0; }
  std::span<const double> row(std::size_t r) const {
    return std::span(values).subspan(r * columns, columns);
  }
};

/// The x >= 0 that minimizes |A x - b| (Lawson and Hanson's active sets).
std::vector<double> nonnegative_least_squares(const Matrix& a, std::span<const double> b);

/// The x >= 0 for which `offset` + A x comes near `b` in relative terms: absolute errors weighted
/// by about 1 / max(b, `floor`), and those beyond a tenth count less and less. A column of zeros
/// gets 0.
std::vector<double> robust_relative_fit(const Matrix& a, std::span<const double> b,
                                        std::span<const double> offset, double floor);

}  // namespace adze::host
