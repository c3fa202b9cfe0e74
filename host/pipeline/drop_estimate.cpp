#include "host/pipeline/drop_estimate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <utility>

#include "host/base/error.hpp"
#include "host/dataset/subset.hpp"
#include "host/evaluate/evaluate.hpp"
#include "host/graph/statistics.hpp"

namespace adze::host {
namespace {

constexpr std::int64_t kEstimateBatch = 64;
constexpr std::int64_t kFewest = 64, kMost = 2048;
constexpr std::int64_t kMacs = 500'000'000'000;  ///< of one estimate

using Outputs = std::vector<std::vector<float>>;  ///< by output, of a batch

/// Runs `limit` samples (0: all) and shows each batch's outputs with the first sample's index.
template <class Visit>
void run_all(Runner& runner, const Dataset& samples, std::int64_t limit, Visit&& visit) {
  const std::int64_t count = limit ? std::min(limit, samples.size()) : samples.size();
  for (std::int64_t first = 0; first < count; first += kEstimateBatch) {
    std::vector<std::int64_t> indices(
        static_cast<std::size_t>(std::min(kEstimateBatch, count - first)));
    std::iota(indices.begin(), indices.end(), first);
    Outputs outputs;
    for (const NamedTensor& output : runner.run(samples.batch(indices))) {
      outputs.push_back(to_f32(output.tensor));
      if (!std::ranges::all_of(outputs.back(), [](float x) { return std::isfinite(x); }))
        throw Error(ADZE_DATA_LOSS,
                    fmt::format("{}: output '{}' holds NaN or infinity for a held-out sample",
                                runner.name(), output.name));
    }
    visit(first, static_cast<std::int64_t>(indices.size()), outputs);
  }
}

/// What became of each sample.
struct Answers {
  std::vector<std::int64_t> classes;
  std::vector<std::uint8_t> hits;  ///< with labels only
};

void take_answers(const EstimateSamples& samples, std::int64_t first, std::int64_t count,
                  const Outputs& outputs, Answers& answers) {
  if (samples.measure == DropMeasure::output_error) return;
  if (outputs.empty() || outputs[0].size() < static_cast<std::size_t>(count))
    throw Error(ADZE_INVALID_ARGUMENT,
                "the model's first output has no row of class scores for each sample; use the "
                "metric output_error");
  const std::size_t classes = outputs[0].size() / static_cast<std::size_t>(count);
  for (std::int64_t i = 0; i < count; ++i) {
    const auto row = std::span(outputs[0]).subspan(static_cast<std::size_t>(i) * classes, classes);
    answers.classes.push_back(std::ranges::max_element(row) - row.begin());
    if (samples.measure != DropMeasure::labels) continue;
    const std::int64_t label = samples.samples->label(first + i);
    if (label < 0 || static_cast<std::size_t>(label) >= classes)
      throw Error(
          ADZE_INVALID_ARGUMENT,
          fmt::format("a held-out sample of [{}] has label {}, but the model has {} classes",
                      samples.source, label, classes));
    answers.hits.push_back(rank_of(row, static_cast<std::size_t>(label)) <
                           (samples.metric == "top5" ? 5 : 1));
  }
}

/// Signal and noise of each output.
class RelativeError {
 public:
  void add(const Outputs& wanted, const Outputs& found) {
    sums_.resize(wanted.size());
    if (wanted.size() != found.size())
      throw PluginError(ADZE_INTERNAL, "a backend gave another number of outputs than before");
    for (std::size_t i = 0; i < wanted.size(); ++i)
      for (std::size_t at = 0; at < std::min(wanted[i].size(), found[i].size()); ++at) {
        const double x = wanted[i][at], difference = x - found[i][at];
        sums_[i].first += x * x;
        sums_[i].second += difference * difference;
      }
  }
  double value() const {
    double total = 0;
    for (const auto& [signal, noise] : sums_)
      if (noise > 0) total += signal > 0 ? std::sqrt(noise / signal) : 1.0;
    return sums_.empty() ? 0 : total / static_cast<double>(sums_.size());
  }

 private:
  std::vector<std::pair<double, double>> sums_;
};

/// `lost` samples and `won` ones of `count`: the mean difference in percent, and its error.
DropEstimate paired(double lost, double won, double count) {
  const double mean = (lost - won) / count, square = (lost + won) / count;
  return {.drop = mean * 100,
          .standard_error = std::sqrt(std::max(square - mean * mean, 0.0) / count) * 100};
}

}  // namespace

const char* measure_name(DropMeasure measure) {
  if (measure == DropMeasure::labels) return "labels";
  return measure == DropMeasure::disagreement ? "disagreement" : "output_error";
}

std::int64_t most_estimate_samples(const Graph& graph) {
  std::int64_t macs = 0;
  for (const Node& node : graph.nodes) macs += macs_of(graph, node);
  return std::clamp(kMacs / std::max<std::int64_t>(macs, 1), kFewest, kMost);
}

EstimateSamples choose_estimate_samples(const SampleSets& sets, const std::string& metric,
                                        std::int64_t most) {
  const Dataset* held_out = sets.held_out();
  const Dataset* training =
      sets.training() != sets.calibration() && !sets.training_held_out().empty() ? sets.training()
                                                                                 : nullptr;
  if (!held_out && !training)
    throw Error(ADZE_INVALID_ARGUMENT,
                "the loss of accuracy cannot be estimated: [calibration] holds no sample out; give "
                "it more samples than one");
  const bool ranks = metric != "output_error";
  const auto labelled = [&](const Dataset* set) { return ranks && set && set->has_labels(); };
  const auto count = static_cast<std::int64_t>(sets.training_held_out().size());
  bool use_training = !held_out;
  if (labelled(training)) use_training = !labelled(held_out) || count > held_out->size();
  EstimateSamples chosen{.samples = nullptr, .source = "", .metric = metric};
  std::vector<std::int64_t> indices;
  if (use_training) {
    indices = sets.training_held_out();
  } else {
    indices.resize(static_cast<std::size_t>(held_out->size()));
    std::iota(indices.begin(), indices.end(), std::int64_t{0});
  }
  indices.resize(std::min(indices.size(), static_cast<std::size_t>(most)));
  chosen.samples =
      std::make_unique<Subset>(use_training ? *training : *held_out, std::move(indices));
  chosen.source = use_training ? "train" : "calibration";
  chosen.measure = !ranks                         ? DropMeasure::output_error
                   : chosen.samples->has_labels() ? DropMeasure::labels
                                                  : DropMeasure::disagreement;
  return chosen;
}

struct DropEstimator::Reference {
  std::vector<Outputs> before, loaded;  ///< by batch; loaded: for output_error only
  Answers before_answers, loaded_answers;
};

DropEstimator::DropEstimator(EstimateSamples samples, const Graph& loaded, const Graph& before,
                             Compile compile)
    : samples_(std::move(samples)),
      compile_(std::move(compile)),
      reference_(std::make_unique<Reference>()) {
  const auto run = [&](const Graph& graph, std::vector<Outputs>* kept, Answers& answers) {
    const std::unique_ptr<Runner> runner = compile_(graph);
    run_all(*runner, *samples_.samples, 0,
            [&](std::int64_t first, std::int64_t count, Outputs& outputs) {
              take_answers(samples_, first, count, outputs, answers);
              if (kept) kept->push_back(std::move(outputs));
            });
  };
  run(before, &reference_->before, reference_->before_answers);
  if (samples_.measure == DropMeasure::labels) run(loaded, nullptr, reference_->loaded_answers);
  if (samples_.measure == DropMeasure::output_error)
    run(loaded, &reference_->loaded, reference_->loaded_answers);
}

DropEstimator::~DropEstimator() = default;

DropEstimate DropEstimator::of(const Graph& candidate) const {
  Answers answers;
  RelativeError against_before, against_loaded;
  const std::unique_ptr<Runner> runner = compile_(candidate);
  std::size_t batch = 0;
  run_all(*runner, *samples_.samples, 0,
          [&](std::int64_t first, std::int64_t count, const Outputs& outputs) {
            take_answers(samples_, first, count, outputs, answers);
            against_before.add(reference_->before[batch], outputs);
            if (samples_.measure == DropMeasure::output_error)
              against_loaded.add(reference_->loaded[batch], outputs);
            ++batch;
          });
  DropEstimate estimate;
  const auto count = static_cast<double>(samples_.samples->size());
  if (samples_.measure == DropMeasure::labels) {
    double lost = 0, won = 0;
    for (std::size_t i = 0; i < answers.hits.size(); ++i) {
      lost += reference_->loaded_answers.hits[i] && !answers.hits[i];
      won += !reference_->loaded_answers.hits[i] && answers.hits[i];
    }
    estimate = paired(lost, won, count);
  } else if (samples_.measure == DropMeasure::disagreement) {
    double changed = 0;
    for (std::size_t i = 0; i < answers.classes.size(); ++i)
      changed += answers.classes[i] != reference_->before_answers.classes[i];
    estimate = paired(changed, 0, count);
  } else {
    estimate.drop = against_loaded.value() * 100;
  }
  estimate.output_error = against_before.value();
  return estimate;
}

double DropEstimator::output_error(const Graph& candidate, std::int64_t most_samples) const {
  // Whole batches: the kept outputs are those of whole ones.
  const std::int64_t limit = (std::max(most_samples, std::int64_t{1}) + kEstimateBatch - 1) /
                             kEstimateBatch * kEstimateBatch;
  RelativeError error;
  const std::unique_ptr<Runner> runner = compile_(candidate);
  std::size_t batch = 0;
  run_all(*runner, *samples_.samples, limit,
          [&](std::int64_t, std::int64_t, const Outputs& outputs) {
            error.add(reference_->before[batch++], outputs);
          });
  return error.value();
}

}  // namespace adze::host
