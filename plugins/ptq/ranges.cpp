#include "plugins/ptq/ranges.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <string_view>

#include "plugins/pruning/parallel.hpp"
#include "plugins/ptq/calibrators.hpp"
#include "plugins/ptq/collect.hpp"
#include "plugins/ptq/consumer_error.hpp"

namespace ptq {
namespace {

constexpr std::uint64_t kBins = 2048;
/// A range that clips must beat the whole range by so much to be taken by itself: the samples that
/// tell are few, and what they do not show is clipped later.
constexpr double kNoticeablyBetter = 0.98;
constexpr double kPercentiles[] = {99.9, 99.99, 99.999};
constexpr const char* kCandidateNames[] = {
    "minmax", "percentile 99.9", "percentile 99.99", "percentile 99.999", "entropy", "mse"};
constexpr std::size_t kCandidates = std::size(kCandidateNames);
constexpr std::uint64_t kFewestProbedSamples = 8, kMostProbedSamples = 64;
constexpr double kBytesOfSamples = 200e6;  ///< of all values: few passes over the samples

Range range_of(const Histogram& histogram, const Options& options) {
  switch (options.calibrator) {
    case Calibrator::percentile:
      return percentile_range(histogram, options.percentile);
    case Calibrator::entropy:
      return entropy_range(histogram, options.bits);
    case Calibrator::mse:
      return mse_range(histogram, options.zero_point, options.bits);
    default:
      return {histogram.low, histogram.high};
  }
}

Grid grid_of(const Range& range, const Options& options) {
  return activation_grid(range.low, range.high, options.zero_point, options.bits);
}

std::vector<Histogram> histograms(const EditedModel& model,
                                  const std::vector<std::uint32_t>& values,
                                  const Options& options) {
  std::vector<adze_stat_request> requests;
  for (const std::uint32_t value : values) {
    requests.push_back(request_of(ADZE_STAT_HISTOGRAM, value));
    // The range alone takes one pass over the samples instead of two.
    requests.back().bins = options.calibrator == Calibrator::minmax ? 0 : kBins;
  }
  std::vector<Histogram> found(values.size());
  collect(model, requests, [&](std::size_t i, const adze_stat& stat) {
    const auto counts = doubles_of(stat);
    found[i] = {stat.low, stat.high, {counts.begin(), counts.end()}};
  });
  return found;
}

std::array<Grid, kCandidates> candidates_of(const Histogram& histogram, const Options& options) {
  std::array<Grid, kCandidates> made;
  std::size_t at = 0;
  made[at++] = grid_of({histogram.low, histogram.high}, options);
  for (const double percentile : kPercentiles)
    made[at++] = grid_of(percentile_range(histogram, percentile), options);
  made[at++] = grid_of(entropy_range(histogram, options.bits), options);
  made[at++] = grid_of(mse_range(histogram, options.zero_point, options.bits), options);
  return made;
}

/// A Softmax along another axis than the last. ONNX Runtime makes one operator of it and its grids,
/// whose results do not saturate but overflow: its grid must hold all that it can give.
bool overflows_elsewhere(const EditedModel& model, std::uint32_t value) {
  const std::uint32_t producer = model.value(value).producer;
  if (producer == ADZE_NONE) return false;
  const adze_node& node = model.node(producer);
  if (std::string_view(node.op) != "Softmax" || *node.domain) return false;
  for (std::uint64_t i = 0; i < node.attribute_count; ++i) {
    const adze_property& attribute = *node.attributes[i];
    if (std::string_view(attribute.name) == "axis" && attribute.i64)
      return attribute.i64[0] != -1 && attribute.i64[0] != model.value(value).rank - 1;
  }
  return false;
}

std::size_t best_of(const std::vector<double>& errors) {
  std::size_t best = 0;
  double least = errors[0] * kNoticeablyBetter;
  for (std::size_t i = 1; i < errors.size(); ++i)
    if (errors[i] < least) {
      least = errors[i];
      best = i;
    }
  return best;
}

/// A histogram's value without an extent leaves nothing to choose.
bool is_constant(const Histogram& histogram) { return !(histogram.high > histogram.low); }

Grids choose_best(const EditedModel& model, const std::vector<std::uint32_t>& values,
                  const std::vector<Histogram>& shown, const Options& options) {
  const auto for_each = pruning::on_host_threads(model.call());
  std::vector<std::array<Grid, kCandidates>> candidates(values.size());
  for_each(values.size(), [&](std::uint64_t i) {
    if (is_constant(shown[i]))
      candidates[i].fill(grid_of({shown[i].low, shown[i].high}, options));
    else
      candidates[i] = candidates_of(shown[i], options);
  });

  double bytes = 1;
  for (const std::uint32_t value : values) bytes += sample_bytes(model.value(value));
  const auto fitting = static_cast<std::uint64_t>(kBytesOfSamples / bytes);
  std::vector<adze_stat_request> requests;
  for (const std::uint32_t value : values) {
    requests.push_back(request_of(ADZE_STAT_SAMPLES, value));
    requests.back().count = std::min(sample_count(model),
                                     std::clamp(fitting, kFewestProbedSamples, kMostProbedSamples));
  }
  Grids grids;
  std::array<std::size_t, kCandidates> taken{};
  collect(model, requests, [&](std::size_t i, const adze_stat& stat) {
    const std::size_t best = best_of(
        consumer_errors(model, values[i], stat, candidates[i], options.bits, model.call()->seed));
    ++taken[best];
    grids[values[i]] = candidates[i][best];
  });
  std::string text = "calibrators chosen:";
  for (std::size_t i = 0; i < kCandidates; ++i)
    if (taken[i]) text += " " + std::string(kCandidateNames[i]) + " " + std::to_string(taken[i]);
  model.log(ADZE_LOG_INFO, text);
  return grids;
}

}  // namespace

Grids choose_grids(const EditedModel& model, const std::vector<std::uint32_t>& values,
                   const Options& options) {
  if (values.empty()) return {};
  const std::vector<Histogram> shown = histograms(model, values, options);
  Grids grids;
  if (options.calibrator == Calibrator::best) {
    grids = choose_best(model, values, shown, options);
  } else {
    for (std::size_t i = 0; i < values.size(); ++i)
      grids[values[i]] = grid_of(
          is_constant(shown[i]) ? Range{shown[i].low, shown[i].high} : range_of(shown[i], options),
          options);
  }
  for (const std::uint32_t value : values)
    if (overflows_elsewhere(model, value)) grids[value] = grid_of({0, 1}, options);
  return grids;
}

}  // namespace ptq
