// How far a changed model falls behind, estimated without the evaluation set.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/dataset/dataset.hpp"
#include "host/evaluate/runner.hpp"
#include "host/graph/graph.hpp"
#include "host/pipeline/sample_sets.hpp"

namespace adze::host {

/// What `DropEstimate::drop` is, all comparable with [accept] max_drop, all over the same samples:
///  * labels: the metric of the model as loaded less that of the candidate, in percentage points.
///    This is what max_drop limits, on other samples than those of [data]; what earlier stages lost
///    is in it. Its standard error says how far the samples alone can lead it astray.
///  * disagreement, for a top-k metric whose samples have no labels: the share of samples, in
///    percent, that the candidate puts into another class than the model before the stage. A sample
///    can only be lost by changing its class, so this bounds the points that the stage loses on
///    these samples from above. What earlier stages lost cannot be known without labels and is not
///    in it.
///  * output_error, when that is the metric: the relative L2 error against the model as loaded, in
///    percent.
enum class DropMeasure : std::uint8_t { labels, disagreement, output_error };
const char* measure_name(DropMeasure measure);

struct DropEstimate {
  double drop = 0;
  double standard_error = 0;  ///< of `drop`, in the same unit; 0 for output_error
  double output_error = 0;    ///< relative L2 error against the model before the stage, a share
};

/// Samples to estimate on, never of [data] and never collected over.
struct EstimateSamples {
  std::unique_ptr<Dataset> samples;
  std::string source;  ///< "calibration" or "train": the table of the recipe
  std::string metric;  ///< top1 | top5 | output_error
  DropMeasure measure = DropMeasure::labels;
};

/// Those with labels where there are any ([calibration]'s held-out samples, or those that [train]
/// holds out, whichever are more), else the held-out calibration samples; at most `most`. `metric`:
/// of the recipe's [data]. `sets` must outlive the result. Errors: INVALID_ARGUMENT when neither
/// table holds samples out.
EstimateSamples choose_estimate_samples(const SampleSets& sets, const std::string& metric,
                                        std::int64_t most);
/// So many that one estimate stays a matter of seconds.
std::int64_t most_estimate_samples(const Graph& graph);

class DropEstimator {
 public:
  using Compile = std::function<std::unique_ptr<Runner>(const Graph&)>;

  /// `loaded`: before any stage; `before`: before the stage. Runs both.
  DropEstimator(EstimateSamples samples, const Graph& loaded, const Graph& before, Compile compile);
  ~DropEstimator();

  /// Errors: DATA_LOSS for NaN or infinity in an output; those of the runner.
  DropEstimate of(const Graph& candidate) const;
  /// DropEstimate::output_error over the first samples only, for comparisons.
  double output_error(const Graph& candidate, std::int64_t most_samples) const;
  const EstimateSamples& samples() const { return samples_; }

 private:
  struct Reference;
  EstimateSamples samples_;
  Compile compile_;
  std::unique_ptr<Reference> reference_;
};

}  // namespace adze::host
