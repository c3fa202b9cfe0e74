#include "host/pipeline/calibration_guard.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

namespace adze::host {
namespace {

constexpr std::size_t kLookedAt = 256;
constexpr std::int64_t kLeastPicture = 8;  ///< sides of an input that is a picture
constexpr double kNoise = 0.1;             ///< correlation of neighbours below it: no picture
constexpr double kMostShift = 0.5;         ///< of means, in standard deviations
constexpr double kMostSpread = 2.0;        ///< ratio of standard deviations

struct Moments {
  double count = 0, sum = 0, squares = 0;
  void add(double x) { ++count, sum += x, squares += x * x; }
  double mean() const { return count > 0 ? sum / count : 0; }
  double std() const {
    return count > 0 ? std::sqrt(std::max(squares / count - mean() * mean(), 0.0)) : 0;
  }
};

std::optional<std::int64_t> classes_of(const Graph& graph) {
  if (graph.outputs.empty()) return std::nullopt;
  const auto& shape = graph.value(graph.outputs[0]).shape;
  if (!shape || shape->size() != 2 || (*shape)[1] < 2) return std::nullopt;
  return (*shape)[1];
}

std::vector<std::int64_t> spread(std::int64_t size) {
  const auto count = std::min<std::int64_t>(size, kLookedAt);
  std::vector<std::int64_t> indices;
  for (std::int64_t i = 0; i < count; ++i) indices.push_back(i * size / count);
  return indices;
}

std::string numbers(const std::vector<double>& list) {
  return fmt::format("{:.3g}", fmt::join(list, ", "));
}

/// Why the two differ, as far as the figures tell.
std::string hint(const InputSummary& ours, const InputSummary& theirs) {
  std::vector<double> reversed(theirs.mean.rbegin(), theirs.mean.rend());
  const auto fits = [&](const std::vector<double>& means) {
    for (std::size_t c = 0; c < means.size(); ++c)
      if (std::abs(means[c] - ours.mean[c]) > 0.1 * std::max(theirs.std[c], 1e-12)) return false;
    return true;
  };
  if (ours.mean.size() == 3 && fits(reversed)) return "the colour channels look swapped";
  const double ratio = ours.std[0] / std::max(theirs.std[0], 1e-12);
  if (ratio > 100 || ratio < 0.01) return "`scale` looks like it is missing in one of them";
  return "are `scale`, `mean` and `std` of [calibration.preprocess] those of [data]?";
}

std::string unlike(const InputSummary& ours, const InputSummary& theirs) {
  for (std::size_t c = 0; c < std::min(ours.mean.size(), theirs.mean.size()); ++c) {
    const double std = std::max(theirs.std[c], 1e-12), ratio = std::max(ours.std[c], 1e-12) / std;
    const bool shifted = std::abs(ours.mean[c] - theirs.mean[c]) > kMostShift * std;
    if (!shifted && ratio < kMostSpread && ratio > 1 / kMostSpread) continue;
    return fmt::format(
        "they are distributed unlike the evaluation set: mean {} and standard deviation {} "
        "against {} and {}; {}",
        numbers(ours.mean), numbers(ours.std), numbers(theirs.mean), numbers(theirs.std),
        hint(ours, theirs));
  }
  return "";
}

void check_labels(const Dataset& calibration, std::span<const std::int64_t> collected,
                  CalibrationCheck& check) {
  if (!calibration.has_labels() || !check.classes) return;
  std::set<std::int64_t> seen;
  for (const std::int64_t index : collected) seen.insert(calibration.label(index));
  if (static_cast<std::int64_t>(seen.size()) < std::min(*check.classes, check.samples))
    check.warnings.push_back(
        fmt::format("they show only {} of {} classes", seen.size(), *check.classes));
}

}  // namespace

std::int64_t advised_samples(std::optional<std::int64_t> classes) {
  if (!classes) return 100;
  const std::int64_t each = *classes >= 1000 ? 1 : *classes >= 100 ? 2 : *classes <= 10 ? 20 : 5;
  return std::max<std::int64_t>(each * *classes, 20);
}

InputSummary summarize(const Dataset& samples, std::span<const std::int64_t> indices,
                       std::size_t input) {
  InputSummary summary;
  std::vector<Moments> channels;
  Moments pairs_left, pairs_right;
  double products = 0;
  std::vector<float> first;
  summary.all_samples_equal = indices.size() > 1;
  for (const std::int64_t index : indices) {
    const Tensor tensor = samples.batch(std::span(&index, 1)).at(input);
    const std::vector<float> elements = to_f32(tensor);
    const Shape& shape = tensor.shape();
    const bool has_channels = shape.size() > 2;
    const auto count = static_cast<std::size_t>(has_channels ? shape[1] : 1);
    channels.resize(count);
    const std::size_t plane =
        std::max<std::size_t>(elements.size() / std::max<std::size_t>(count, 1), 1);
    const bool picture =
        shape.size() == 4 && shape[3] >= kLeastPicture && shape[2] >= kLeastPicture;
    const auto width = static_cast<std::size_t>(picture ? shape[3] : 1);
    for (std::size_t i = 0; i < elements.size(); ++i) {
      const double x = elements[i];
      summary.low = channels[0].count > 0 || i ? std::min(summary.low, x) : x;
      summary.high = channels[0].count > 0 || i ? std::max(summary.high, x) : x;
      channels[std::min(i / plane, count - 1)].add(x);
      if (!picture || i % width == 0) continue;
      pairs_left.add(elements[i - 1]);
      pairs_right.add(x);
      products += elements[i - 1] * x;
    }
    if (first.empty())
      first = elements;
    else
      summary.all_samples_equal = summary.all_samples_equal && first == elements;
  }
  for (const Moments& sums : channels) {
    summary.mean.push_back(sums.mean());
    summary.std.push_back(sums.std());
  }
  const double scale = pairs_left.std() * pairs_right.std();
  if (scale > 0)
    summary.neighbour_correlation =
        (products / pairs_left.count - pairs_left.mean() * pairs_right.mean()) / scale;
  return summary;
}

CalibrationCheck check_calibration(const Graph& graph, const Dataset& calibration,
                                   std::span<const std::int64_t> collected,
                                   const Dataset& evaluation) {
  CalibrationCheck check{.samples = static_cast<std::int64_t>(collected.size()),
                         .classes = classes_of(graph)};
  check.advised_samples = advised_samples(check.classes);
  if (check.samples < check.advised_samples)
    check.warnings.push_back(fmt::format(
        "{} are few: the vendor asks for {}{}", check.samples, check.advised_samples,
        check.classes ? fmt::format(" and more with {} classes", *check.classes) : " to 500"));
  check_labels(calibration, collected, check);
  const std::span<const std::int64_t> looked_at =
      collected.first(std::min(collected.size(), kLookedAt));
  const std::vector<std::int64_t> others = spread(evaluation.size());
  for (std::size_t i = 0; i < graph.inputs.size(); ++i) {
    const InputSummary ours = summarize(calibration, looked_at, i);
    const std::string name = graph.inputs.size() > 1
                                 ? fmt::format("input '{}': ", graph.value(graph.inputs[i]).name)
                                 : "";
    const auto warn = [&](const std::string& text) { check.warnings.push_back(name + text); };
    if (ours.low == ours.high) {
      warn(fmt::format("all their elements are {:g}: ranges cannot be told from them", ours.low));
      continue;
    }
    if (ours.all_samples_equal) warn("they are all the same sample");
    if (ours.neighbour_correlation && std::abs(*ours.neighbour_correlation) < kNoise)
      warn(
          fmt::format("they look like random noise (neighbouring pixels correlate by {:.2f}); "
                      "ranges found with them do not fit pictures",
                      *ours.neighbour_correlation));
    if (const std::string why = unlike(ours, summarize(evaluation, others, i)); !why.empty())
      warn(why);
  }
  return check;
}

}  // namespace adze::host
