// Two sets of outputs, tensor by tensor.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "host/base/tensor.hpp"

namespace adze::host {

/// Of one output over all samples. Undefined figures (constant or zero tensors) are nullopt.
struct OutputComparison {
  std::string name;
  std::optional<double> sqnr_db;  ///< 10 log10(sum a^2 / sum (a-b)^2); nullopt: identical or a is 0
  std::optional<double> cosine;
  double max_abs = 0;
  double mismatch_share = 0;             ///< share of elements that differ at all
  std::optional<double> top1_agreement;  ///< rank-2 outputs: share of samples with the same argmax
  std::int64_t elements = 0;
  /// Elements that are NaN or infinite on either side. They count in mismatch_share when the sides
  /// differ and in no other figure, so whoever judges must not pass a comparison that has any.
  std::int64_t nan_count = 0;
  bool identical() const { return mismatch_share == 0 && nan_count == 0; }
};

/// Accumulates over batches; `a` is the reference. Outputs are matched by name.
class Comparison {
 public:
  /// Errors: INVALID_ARGUMENT naming the output when shapes or types differ.
  void add(const std::string& output, const Tensor& a, const Tensor& b);
  /// In order of first add. Errors: FAILED_PRECONDITION when nothing was compared.
  std::vector<OutputComparison> results() const;

 private:
  struct Sums {
    std::string name;
    double aa = 0, bb = 0, ab = 0, dd = 0, max_abs = 0;
    std::int64_t elements = 0, differing = 0, nans = 0, rows = 0, agreeing = 0;
  };
  std::vector<Sums> sums_;
};

}  // namespace adze::host
