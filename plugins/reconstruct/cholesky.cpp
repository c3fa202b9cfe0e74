#include "plugins/reconstruct/cholesky.hpp"

#include <cblas.h>

#include <Eigen/Cholesky>
#include <algorithm>

namespace reconstruct {
namespace {

constexpr Eigen::Index kTile = 192;

int narrow(Eigen::Index size) { return static_cast<int>(size); }

void mirror(Eigen::MatrixXd& matrix, double diagonal, Eigen::Index first, Eigen::Index count) {
  for (Eigen::Index column = first; column < first + count; ++column) {
    matrix(column, column) = diagonal;
    const Eigen::Index below = matrix.rows() - column - 1;
    matrix.col(column).tail(below) = matrix.row(column).tail(below);
  }
}

}  // namespace

bool factorize(Eigen::MatrixXd& matrix, double diagonal, const pruning::ForEach& for_each) {
  const Eigen::Index size = matrix.rows(), tiles = (size + kTile - 1) / kTile;
  const auto length = [&](Eigen::Index tile) { return std::min(kTile, size - tile * kTile); };
  const auto at = [&](Eigen::Index row, Eigen::Index column) {
    return &matrix(row * kTile, column * kTile);
  };
  for_each(static_cast<std::uint64_t>(tiles), [&](std::uint64_t tile) {
    const auto index = static_cast<Eigen::Index>(tile);
    mirror(matrix, diagonal, index * kTile, length(index));
  });

  for (Eigen::Index k = 0; k < tiles; ++k) {
    // The upper triangle of the tile on the diagonal is A's, which must stay.
    Eigen::MatrixXd corner = matrix.block(k * kTile, k * kTile, length(k), length(k));
    {
      const pruning::OneBlasThread one;
      const Eigen::LLT<Eigen::Ref<Eigen::MatrixXd>> factor(corner);
      if (factor.info() != Eigen::Success) return false;
    }
    matrix.block(k * kTile, k * kTile, length(k), length(k)).triangularView<Eigen::Lower>() =
        corner;
    const Eigen::Index below = tiles - k - 1;
    for_each(static_cast<std::uint64_t>(below), [&](std::uint64_t i) {
      const Eigen::Index row = k + 1 + static_cast<Eigen::Index>(i);
      cblas_dtrsm(CblasColMajor, CblasRight, CblasLower, CblasTrans, CblasNonUnit,
                  narrow(length(row)), narrow(length(k)), 1, at(k, k), narrow(size), at(row, k),
                  narrow(size));
    });
    for_each(static_cast<std::uint64_t>(below), [&](std::uint64_t i) {
      const Eigen::Index row = k + 1 + static_cast<Eigen::Index>(i);
      if (row > k + 1)
        cblas_dgemm(CblasColMajor, CblasNoTrans, CblasTrans, narrow(length(row)),
                    narrow((row - k - 1) * kTile), narrow(length(k)), -1, at(row, k), narrow(size),
                    at(k + 1, k), narrow(size), 1, at(row, k + 1), narrow(size));
      cblas_dsyrk(CblasColMajor, CblasLower, CblasNoTrans, narrow(length(row)), narrow(length(k)),
                  -1, at(row, k), narrow(size), 1, at(row, row), narrow(size));
    });
  }
  return true;
}

void solve(const Eigen::MatrixXd& factor, double* vectors, Eigen::Index count) {
  const int size = narrow(factor.rows());
  for (const CBLAS_TRANSPOSE transpose : {CblasNoTrans, CblasTrans})
    cblas_dtrsm(CblasColMajor, CblasLeft, CblasLower, transpose, CblasNonUnit, size, narrow(count),
                1, factor.data(), size, vectors, size);
}

}  // namespace reconstruct
