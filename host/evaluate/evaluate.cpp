#include "host/evaluate/evaluate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

#include "host/base/error.hpp"

namespace adze::host {
namespace {

void check_finite(const Runner& runner, const NamedTensor& output, std::span<const float> elements,
                  std::int64_t first_sample) {
  const auto bad = std::ranges::find_if(elements, [](float x) { return !std::isfinite(x); });
  if (bad == elements.end()) return;
  const auto rows = static_cast<std::size_t>(
      output.tensor.shape().empty() ? 1 : std::max<std::int64_t>(1, output.tensor.shape()[0]));
  const auto row = static_cast<std::size_t>(bad - elements.begin()) / (elements.size() / rows);
  throw Error(
      ADZE_DATA_LOSS,
      fmt::format("{}: output '{}' of sample {} holds {}; run `adze compare --layers` to find "
                  "the node it comes from",
                  runner.name(), output.name, first_sample + static_cast<std::int64_t>(row),
                  std::isnan(*bad) ? "NaN" : "infinity"));
}

class TopK {
 public:
  TopK(const Dataset& dataset, std::int64_t k) : dataset_(dataset), k_(k) {}

  void add(const Runner& runner, const std::vector<NamedTensor>& outputs, std::int64_t first,
           std::int64_t count) {
    if (outputs.empty()) throw PluginError(ADZE_INTERNAL, runner.name() + " gave no output");
    const NamedTensor& output = outputs[0];
    const Shape& shape = output.tensor.shape();
    if (shape.empty() || shape[0] != count || output.tensor.count() < count)
      throw Error(ADZE_INVALID_ARGUMENT,
                  fmt::format("{}: output '{}' is {}, not a row of class scores for each of {} "
                              "samples; use the metric output_error",
                              runner.name(), output.name, to_string(shape), count));
    const std::vector<float> scores = to_f32(output.tensor);
    check_finite(runner, output, scores, first);
    const std::size_t classes = scores.size() / static_cast<std::size_t>(count);
    for (std::int64_t i = 0; i < count; ++i) {
      const auto row = std::span(scores).subspan(static_cast<std::size_t>(i) * classes, classes);
      predictions.push_back(std::ranges::max_element(row) - row.begin());
      const std::int64_t label = dataset_.label(first + i);
      if (label < 0 || static_cast<std::size_t>(label) >= classes)
        throw Error(ADZE_INVALID_ARGUMENT,
                    fmt::format("sample {} has label {}, but output '{}' of {} has {} classes; are "
                                "data and model of one task?",
                                first + i, label, output.name, runner.name(), classes));
      hits_ += rank_of(row, static_cast<std::size_t>(label)) < k_;
    }
  }
  double value() const {
    return static_cast<double>(hits_) / static_cast<double>(predictions.size());
  }

  std::vector<std::int64_t> predictions;

 private:
  const Dataset& dataset_;
  std::int64_t k_, hits_ = 0;
};

// Relative L2 error of each output against the reference, averaged over the outputs, so that one
// with large numbers does not hide the others.
class OutputError {
 public:
  void add(const Runner& runner, const std::vector<NamedTensor>& outputs, const Runner& reference,
           const std::vector<NamedTensor>& wanted, std::int64_t first) {
    sums_.resize(wanted.size());
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      const auto mine = std::ranges::find(outputs, wanted[i].name, &NamedTensor::name);
      if (mine == outputs.end() || mine->tensor.shape() != wanted[i].tensor.shape())
        throw Error(
            ADZE_INVALID_ARGUMENT,
            fmt::format("cannot compare {} with {}: output '{}' of the latter is {}, of the "
                        "former {}",
                        runner.name(), reference.name(), wanted[i].name,
                        to_string(wanted[i].tensor.shape()),
                        mine == outputs.end() ? "missing" : to_string(mine->tensor.shape())));
      const std::vector<float> a = to_f32(wanted[i].tensor), b = to_f32(mine->tensor);
      check_finite(reference, wanted[i], a, first);
      check_finite(runner, *mine, b, first);
      sums_[i].name = wanted[i].name;
      for (std::size_t at = 0; at < a.size(); ++at) {
        const double x = a[at], difference = x - b[at];
        sums_[i].reference += x * x;
        sums_[i].difference += difference * difference;
      }
    }
  }
  double value() const {
    double total = 0;
    for (const Sums& sums : sums_) {
      if (sums.difference == 0) continue;
      if (sums.reference == 0)
        throw Error(ADZE_FAILED_PRECONDITION,
                    fmt::format("output_error is not defined: output '{}' of the reference is zero "
                                "for all samples",
                                sums.name));
      total += std::sqrt(sums.difference / sums.reference);
    }
    return sums_.empty() ? 0 : total / static_cast<double>(sums_.size());
  }

 private:
  struct Sums {
    std::string name;
    double reference = 0, difference = 0;
  };
  std::vector<Sums> sums_;
};

void check_metric(const std::string& metric) {
  if (metric != "top1" && metric != "top5" && metric != "output_error")
    throw Error(ADZE_INVALID_ARGUMENT,
                fmt::format("metric '{}' is none of top1, top5, output_error", metric));
}

}  // namespace

std::int64_t rank_of(std::span<const float> scores, std::size_t label) {
  std::int64_t better = 0;
  for (std::size_t i = 0; i < scores.size(); ++i)
    better += scores[i] > scores[label] || (scores[i] == scores[label] && i < label);
  return better;
}

bool higher_is_better(const std::string& metric) {
  check_metric(metric);
  return metric != "output_error";
}

std::string metric_of(const DataSpec& spec, const Dataset& dataset) {
  if (spec.metric.empty()) return dataset.has_labels() ? "top1" : "output_error";
  check_metric(spec.metric);
  if (spec.metric != "output_error" && !dataset.has_labels())
    throw Error(ADZE_INVALID_ARGUMENT,
                fmt::format("metric {} needs labels; give labels in [data], or use output_error",
                            spec.metric));
  return spec.metric;
}

Evaluation evaluate(Runner& runner, const Dataset& dataset, const std::string& metric,
                    std::int64_t limit, Runner* reference, std::int64_t batch,
                    const std::function<void(double fraction)>& progress) {
  check_metric(metric);
  const bool ranks = metric != "output_error";
  if (ranks && !dataset.has_labels())
    throw Error(ADZE_INVALID_ARGUMENT, fmt::format("metric {} needs data with labels", metric));
  if (!ranks && !reference)
    throw Error(ADZE_INVALID_ARGUMENT, "metric output_error needs a reference model");
  if (limit < 0 || batch < 1)
    throw Error(ADZE_INVALID_ARGUMENT,
                fmt::format("cannot evaluate {} samples in batches of {}", limit, batch));
  const std::int64_t samples = limit ? std::min(limit, dataset.size()) : dataset.size();
  if (samples == 0) throw Error(ADZE_INVALID_ARGUMENT, "there are no samples to evaluate");

  const auto start = std::chrono::steady_clock::now();
  TopK top_k(dataset, metric == "top5" ? 5 : 1);
  OutputError output_error;
  for (std::int64_t first = 0; first < samples; first += batch) {
    std::vector<std::int64_t> indices(static_cast<std::size_t>(std::min(batch, samples - first)));
    std::iota(indices.begin(), indices.end(), first);
    const std::vector<Tensor> inputs = dataset.batch(indices);
    const std::vector<NamedTensor> outputs = runner.run(inputs);
    if (ranks)
      top_k.add(runner, outputs, first, static_cast<std::int64_t>(indices.size()));
    else
      output_error.add(runner, outputs, *reference, reference->run(inputs), first);
    if (progress)
      progress(static_cast<double>(first + static_cast<std::int64_t>(indices.size())) /
               static_cast<double>(samples));
  }
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  return {.metric = metric,
          .value = ranks ? top_k.value() : output_error.value(),
          .samples = samples,
          .seconds = elapsed.count(),
          .predictions = std::move(top_k.predictions)};
}

}  // namespace adze::host
