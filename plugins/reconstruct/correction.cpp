#include "plugins/reconstruct/correction.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "plugins/reconstruct/prune_layer.hpp"

namespace reconstruct {
namespace {

/// Pulls of the least squares towards the weights without a correction.
constexpr double kDampings[] = {1e-3, 1e-2, 1e-1};
/// The one that large layers get, for which each try takes seconds.
constexpr double kDampingOfLargeLayers = 1e-2;
constexpr double kLargeRefit = 5e9;  ///< operations

/// The same inputs, to be answered as the weights before would.
std::vector<RefitProblem> as_before(std::span<const RefitProblem> problems) {
  const pruning::OneBlasThread one;
  std::vector<RefitProblem> before(problems.begin(), problems.end());
  for (RefitProblem& problem : before) problem.answers = problem.dense * problem.gram;
  return before;
}

RowMatrix with_bias(std::span<const RefitProblem> problems, RowMatrix weights) {
  const Quadratic problem = quadratic_of(problems, 0);
  if (problem.output_means.size())
    weights.col(problem.columns()) = bias_for(problem, weights.leftCols(problem.columns()));
  return weights;
}

/// `plain`: the weights without a correction.
RowMatrix least_squares(std::span<const RefitProblem> problems, const RowMatrix& plain,
                        std::span<const std::uint8_t> keep, double damping,
                        const ForEach& for_each) {
  std::vector<RefitProblem> pulled(problems.begin(), problems.end());
  Eigen::Index first = 0;
  for (RefitProblem& problem : pulled) {
    problem.dense = plain.middleRows(first, problem.dense.rows());
    first += problem.dense.rows();
  }
  return refit_mask(pulled, keep, damping, for_each);
}

bool is_large(std::span<const RefitProblem> problems, std::span<const std::uint8_t> keep) {
  const auto rows =
      static_cast<double>(problems.size()) * static_cast<double>(problems[0].dense.rows());
  const auto kept =
      static_cast<double>(std::count(keep.begin(), keep.end(), std::uint8_t{1})) / rows;
  return rows * std::pow(kept, 3) / 3 > kLargeRefit;
}

RowMatrix compute(Correction correction, std::span<const RefitProblem> problems,
                  const RowMatrix& plain, std::span<const std::uint8_t> keep, double damping,
                  const ForEach& for_each) {
  if (correction == Correction::bias) return with_bias(problems, plain);
  if (correction == Correction::least_squares)
    return least_squares(problems, plain, keep, damping, for_each);
  return plain;
}

}  // namespace

std::vector<RefitProblem> all_of(const Evidence& evidence) {
  std::vector<RefitProblem> all = evidence.fitted.groups;
  const auto fitted = static_cast<double>(evidence.fitted.terms);
  const auto held_out = static_cast<double>(evidence.held_out.terms);
  if (evidence.held_out.groups.empty() || fitted + held_out == 0) return all;
  const double share = fitted / (fitted + held_out);
  for (std::size_t group = 0; group < all.size(); ++group) {
    const RefitProblem& other = evidence.held_out.groups[group];
    all[group].gram = share * all[group].gram + (1 - share) * other.gram;
    all[group].answers = share * all[group].answers + (1 - share) * other.answers;
  }
  return all;
}

Corrected correct(const Evidence& evidence, std::span<const RefitProblem> all,
                  std::span<const std::uint8_t> keep, double damping, const ForEach& for_each) {
  Corrected best;
  const bool judged = evidence.has_target && !evidence.held_out.groups.empty();
  if (judged) {
    const RowMatrix plain = refit_mask(as_before(evidence.fitted.groups), keep, damping, for_each);
    best.error_after = std::numeric_limits<double>::infinity();
    const auto offer = [&](Correction correction, double pull) {
      const double error =
          excess_error(evidence.held_out.groups,
                       compute(correction, evidence.fitted.groups, plain, keep, pull, for_each));
      if (correction == Correction::none) best.error_before = error;
      if (!(error < best.error_after)) return;
      best.error_after = error;
      best.correction = correction;
      best.damping = pull;
    };
    offer(Correction::none, 0);
    offer(Correction::bias, 0);
    if (is_large(evidence.fitted.groups, keep))
      offer(Correction::least_squares, kDampingOfLargeLayers);
    else
      for (const double pull : kDampings) offer(Correction::least_squares, pull);
  }
  const RowMatrix plain = refit_mask(as_before(all), keep, damping, for_each);
  best.weights = compute(best.correction, all, plain, keep, best.damping, for_each);
  return best;
}

const char* name_of(Correction correction) {
  switch (correction) {
    case Correction::bias:
      return "bias";
    case Correction::least_squares:
      return "least squares";
    default:
      return "none";
  }
}

}  // namespace reconstruct
