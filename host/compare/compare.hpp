// Two sets of outputs, tensor by tensor.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "host/graph/graph.hpp"

namespace adze::host {

/// How far quantized values are apart, in steps of their quantization.
struct StepDifferences {
  double max = 0;
  double differing_share = 0;  ///< share of elements that are a step apart or more
  double beyond_share = 0;     ///< share of elements that are two steps apart or more
};

/// Of one output over all samples. Undefined figures (constant or zero tensors) are nullopt.
struct OutputComparison {
  std::string name;
  std::optional<double> sqnr_db;  ///< 10 log10(sum a^2 / sum (a-b)^2); nullopt: identical or a is 0
  std::optional<double> cosine;
  double max_abs = 0;
  std::optional<double> max_rel;  ///< max_abs by the largest magnitude in a; nullopt: a is 0, b not
  double mismatch_share = 0;      ///< share of elements that differ at all
  std::optional<double> top1_agreement;  ///< rank-2 outputs: share of samples with the same argmax
  std::int64_t elements = 0;
  /// Elements that are NaN or infinite on either side. They count in mismatch_share when the sides
  /// differ and in no other figure, so whoever judges must not pass a comparison that has any.
  std::int64_t nan_count = 0;
  std::int64_t nan_differing = 0;  ///< those among them in which the sides differ
  /// All elements of all samples are one number there. Cosine and signal to noise say little then,
  /// and a side that is constant alone is broken.
  bool constant_a = false, constant_b = false;
  std::optional<StepDifferences> steps;  ///< finite elements, where a quantization was given
  bool identical() const { return mismatch_share == 0 && nan_count == 0; }
};

/// Accumulates over batches; `a` is the reference. Outputs are matched by name.
class Comparison {
 public:
  /// `quant`: count differences in its steps too; the same in every call for one output. Errors:
  /// INVALID_ARGUMENT naming the output when shapes or types differ.
  void add(const std::string& output, const Tensor& a, const Tensor& b,
           const std::optional<Quant>& quant = std::nullopt);
  /// In order of first add. Errors: FAILED_PRECONDITION when nothing was compared.
  std::vector<OutputComparison> results() const;

 private:
  struct Sums {
    std::string name;
    double aa = 0, bb = 0, ab = 0, dd = 0, max_abs = 0, max_a = 0, max_steps = 0;
    double low_a = std::numeric_limits<double>::infinity(), high_a = -low_a, low_b = low_a,
           high_b = -low_a;
    std::int64_t elements = 0, differing = 0, nans = 0, nans_differing = 0, rows = 0, agreeing = 0;
    std::int64_t in_steps = 0, steps_differing = 0, steps_beyond = 0;
  };
  std::vector<Sums> sums_;
};

}  // namespace adze::host
