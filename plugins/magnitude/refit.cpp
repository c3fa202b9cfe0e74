#include "plugins/magnitude/refit.hpp"

#include <cblas.h>
#include <omp.h>

#include <Eigen/Cholesky>
#include <adze/adze.hpp>
#include <atomic>
#include <mutex>
#include <new>
#include <thread>
#include <vector>

namespace magnitude {
namespace {

/// Rows are what runs in parallel here; a threaded factorization of each would only get in the way,
/// and its sums would depend on the number of threads. OpenBLAS on OpenMP follows a setting of the
/// calling thread. Its setting for the process must not change while another instance computes:
/// that takes the buffers away from under it.
class OneBlasThread {
 public:
  OneBlasThread() : before_(omp_get_max_threads()) {
    static std::once_flag once;
    std::call_once(once, [] {
      if (openblas_get_parallel() == OPENBLAS_THREAD) openblas_set_num_threads(1);
    });
    omp_set_num_threads(1);
  }
  ~OneBlasThread() { omp_set_num_threads(before_); }
  OneBlasThread(const OneBlasThread&) = delete;
  OneBlasThread& operator=(const OneBlasThread&) = delete;

 private:
  int before_;
};

/// False when the normal equations have no single solution.
bool refit_row(const Eigen::MatrixXd& gram, const Eigen::VectorXd& target, const MaskMatrix& keep,
               Eigen::Index row, bool has_bias, RowMatrix& refitted) {
  const Eigen::Index weights = keep.cols();
  std::vector<Eigen::Index> support;
  for (Eigen::Index column = 0; column < weights; ++column)
    if (keep(row, column)) support.push_back(column);
  if (has_bias) support.push_back(weights);

  refitted.row(row).head(weights).setZero();
  if (support.empty()) return true;
  const Eigen::MatrixXd part = gram(support, support);
  const Eigen::LLT<Eigen::MatrixXd> factor(part);
  if (factor.info() != Eigen::Success) return false;
  const Eigen::VectorXd solution = factor.solve(Eigen::VectorXd(target(support)));
  if (!solution.allFinite()) return false;
  for (std::size_t i = 0; i < support.size(); ++i)
    refitted(row, support[i]) = solution(static_cast<Eigen::Index>(i));
  return true;
}

}  // namespace

RowMatrix refit(const RefitProblem& problem, const MaskMatrix& keep, unsigned threads) {
  const OneBlasThread one_thread;  // for what this thread computes before and after
  const Eigen::Index weights = keep.cols();
  const bool has_bias = problem.has_bias;
  Eigen::MatrixXd damped = problem.gram;
  const double pull = problem.damping * problem.gram.diagonal().head(weights).mean();
  damped.diagonal().head(weights).array() += pull;
  Eigen::MatrixXd targets = problem.answers.transpose();  // a column an output
  targets.topRows(weights) += pull * problem.dense.leftCols(weights).transpose();

  RowMatrix refitted = problem.dense;
  std::atomic<Eigen::Index> next = 0;
  std::atomic<bool> singular = false;
  std::atomic<bool> out_of_memory = false;
  const auto work = [&]() noexcept {
    try {
      const OneBlasThread one_of_this_thread;
      for (Eigen::Index row = next++; row < refitted.rows(); row = next++)
        if (!refit_row(damped, targets.col(row), keep, row, has_bias, refitted)) singular = true;
    } catch (const std::bad_alloc&) {
      out_of_memory = true;
    }
  };
  std::vector<std::jthread> helpers;
  for (unsigned i = 1; i < threads; ++i) helpers.emplace_back(work);
  work();
  helpers.clear();
  if (out_of_memory) throw std::bad_alloc();
  if (singular)
    throw adze::Error(ADZE_FAILED_PRECONDITION,
                      "the calibration samples do not determine its weights (singular Gram "
                      "matrix); raise `damping` or give more samples");
  return refitted;
}

}  // namespace magnitude
