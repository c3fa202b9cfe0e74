#include "plugins/ptq/rounding.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

#include "plugins/pruning/parallel.hpp"
#include "plugins/pruning/statistics.hpp"
#include "plugins/ptq/channels.hpp"
#include "plugins/ptq/collect.hpp"
#include "plugins/ptq/round_row.hpp"

namespace ptq {
namespace {

using pruning::RowMatrix;

/// Share of a layer's weights lost by rounding to the nearest from which on `automatic` takes it:
/// 38 dB. Scales for each channel of dense layers are better than that.
constexpr double kCostlyRounding = 1.6e-4;
constexpr std::int64_t kMostColumns = 6144;  ///< a Gram matrix of them takes 300 MB
/// Operations for all Gram matrices that `automatic` asks for: about ten seconds.
constexpr double kMostGramOperations = 5e11;
constexpr double kDamping = 0.01;
constexpr int kSweeps = 6;
constexpr Eigen::Index kRowsAtOnce = 16;

struct Job {
  const WeightGrid* grid = nullptr;
  pruning::Layer layer;
  std::uint64_t fitted = 0, held_out = 0;  ///< samples, from the first on and from the last back
  double operations = 0;
};

RowMatrix matrix_of(const EditedModel& model, const pruning::Layer& layer) {
  const auto contents = model.constant(layer.weight);
  RowMatrix weights(layer.rows, layer.columns);
  for (std::int64_t row = 0; row < layer.rows; ++row)
    for (std::int64_t column = 0; column < layer.columns; ++column)
      weights(row, column) = static_cast<double>(contents[layer.index(row, column)]);
  return weights;
}

double lost_share(const RowMatrix& weights, const WeightGrid& grid) {
  double lost = 0;
  for (Eigen::Index row = 0; row < weights.rows(); ++row) {
    const double scale = static_cast<double>(grid.scale_of_row(row));
    lost += (round_to_nearest(weights.row(row), scale) - weights.row(row)).squaredNorm();
  }
  const double all = weights.squaredNorm();
  return all > 0 ? lost / all : 0;
}

double positions_of(const EditedModel& model, const pruning::Layer& layer) {
  const adze_value& output = model.value(model.node(layer.node).outputs[0]);
  return std::max(1.0, sample_bytes(output) / 4 / static_cast<double>(layer.rows));
}

std::optional<Job> job_of(const EditedModel& model, const WeightGrid& grid,
                          const Options& options) {
  const auto layer = layer_at(model.graph(), grid.plan.node);
  if (!layer || layer->count() == 0 || layer->columns > kMostColumns) return std::nullopt;
  if (model.value(layer->weight).consumer_count != 1 || !model.may_change(layer->weight))
    return std::nullopt;
  if (options.rounding == Rounding::automatic &&
      lost_share(matrix_of(model, *layer), grid) < kCostlyRounding)
    return std::nullopt;
  Job job{&grid, *layer, 0, 0, 0};
  const std::uint64_t count = sample_count(model);
  const double positions = positions_of(model, *layer);
  const double wanted =
      std::ceil(std::max(4096.0, 6.0 * static_cast<double>(layer->columns)) / positions);
  job.held_out = std::min<std::uint64_t>(count / 4, static_cast<std::uint64_t>(wanted / 3) + 4);
  job.fitted =
      std::min<std::uint64_t>(count - job.held_out, static_cast<std::uint64_t>(wanted) + 8);
  job.operations = 2 * static_cast<double>(job.fitted + job.held_out) * positions *
                   static_cast<double>(layer->columns * layer->columns * layer->groups);
  return job;
}

/// One a group of the layer.
std::vector<Eigen::MatrixXd> moments_of(const pruning::Moments& found) {
  std::vector<Eigen::MatrixXd> moments;
  for (const pruning::RefitProblem& problem : found.groups) {
    const Eigen::Index size = problem.gram.rows() - 1;
    moments.push_back(problem.gram.topLeftCorner(size, size));
  }
  return moments;
}

double error_of(const RowMatrix& rounded, const RowMatrix& weights,
                std::span<const Eigen::MatrixXd> moments) {
  const pruning::OneBlasThread one;
  double error = 0;
  const Eigen::Index rows = weights.rows() / static_cast<Eigen::Index>(moments.size());
  for (std::size_t group = 0; group < moments.size(); ++group) {
    const auto first = static_cast<Eigen::Index>(group) * rows;
    const RowMatrix difference = rounded.middleRows(first, rows) - weights.middleRows(first, rows);
    error += (difference * moments[group]).cwiseProduct(difference).sum();
  }
  return error;
}

RowMatrix round_rows(const RowMatrix& weights, const WeightGrid& grid,
                     std::span<const Eigen::MatrixXd> moments, int sweeps,
                     const pruning::ForEach& for_each) {
  RowMatrix result(weights.rows(), weights.cols());
  const Eigen::Index rows = weights.rows() / static_cast<Eigen::Index>(moments.size());
  const Eigen::Index tiles = (weights.rows() + kRowsAtOnce - 1) / kRowsAtOnce;
  for_each(static_cast<std::uint64_t>(tiles), [&](std::uint64_t tile) {
    const Eigen::Index first = static_cast<Eigen::Index>(tile) * kRowsAtOnce;
    for (Eigen::Index row = first; row < std::min(weights.rows(), first + kRowsAtOnce); ++row)
      result.row(row) = round_row(weights.row(row), static_cast<double>(grid.scale_of_row(row)),
                                  moments[static_cast<std::size_t>(row / rows)], sweeps);
  });
  return result;
}

bool round_layer(EditedModel& model, const Job& job, const pruning::Moments& fitted,
                 const pruning::Moments* held_out, const pruning::ForEach& for_each) {
  const RowMatrix weights = matrix_of(model, job.layer);
  std::vector<Eigen::MatrixXd> moments = moments_of(fitted);
  for (Eigen::MatrixXd& one : moments) one.diagonal().array() += kDamping * one.diagonal().mean();
  const RowMatrix adapted = round_rows(weights, *job.grid, moments, kSweeps, for_each);
  if (held_out) {
    const std::vector<Eigen::MatrixXd> judged = moments_of(*held_out);
    const RowMatrix nearest = round_rows(weights, *job.grid, judged, 0, for_each);
    if (error_of(adapted, weights, judged) >= error_of(nearest, weights, judged)) return false;
  }
  const auto shown = model.constant(job.layer.weight);
  std::vector<float> contents(shown.begin(), shown.end());
  for (std::int64_t row = 0; row < job.layer.rows; ++row)
    for (std::int64_t column = 0; column < job.layer.columns; ++column)
      contents[job.layer.index(row, column)] = static_cast<float>(adapted(row, column));
  model.set_constant(job.layer.weight, std::move(contents));
  return true;
}

std::vector<Job> jobs_of(const EditedModel& model, std::span<const WeightGrid> grids,
                         const Options& options) {
  std::vector<Job> jobs;
  double operations = 0;
  for (const WeightGrid& grid : grids) {
    const auto job = job_of(model, grid, options);
    if (!job || job->fitted == 0) continue;
    if (options.rounding == Rounding::automatic &&
        operations + job->operations > kMostGramOperations)
      continue;
    operations += job->operations;
    jobs.push_back(*job);
  }
  return jobs;
}

}  // namespace

std::size_t round_adaptively(EditedModel& model, std::span<const WeightGrid> grids,
                             const Options& options) {
  if (options.rounding == Rounding::nearest) return 0;
  const std::vector<Job> jobs = jobs_of(model, grids, options);
  const auto for_each = pruning::on_host_threads(model.call());
  const std::uint64_t count = sample_count(model);
  std::size_t changed = 0;
  // Large Gram matrices a few at a time; each portion is one pass over the samples.
  constexpr std::size_t kAtOnce = 8;
  for (std::size_t begin = 0; begin < jobs.size(); begin += kAtOnce) {
    const std::size_t end = std::min(jobs.size(), begin + kAtOnce);
    std::vector<pruning::MomentsRequest> requests;
    for (std::size_t i = begin; i < end; ++i) {
      pruning::MomentsRequest request;
      request.layer = &jobs[i].layer;
      request.state = ADZE_STATE_EDITED;
      request.count = jobs[i].fitted;
      requests.push_back(request);
      request.first = count - jobs[i].held_out;
      request.count = jobs[i].held_out;
      if (jobs[i].held_out > 0) requests.push_back(request);
    }
    const std::vector<pruning::Moments> moments = pruning::collect_moments(model.call(), requests);
    for (std::size_t i = begin, at = 0; i < end; ++i) {
      const bool judged = jobs[i].held_out > 0;
      changed +=
          round_layer(model, jobs[i], moments[at], judged ? &moments[at + 1] : nullptr, for_each);
      at += judged ? 2 : 1;
    }
  }
  return changed;
}

}  // namespace ptq
