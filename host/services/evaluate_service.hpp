// adze.evaluate/1: how good the model is with the edits made so far, on held-out samples.
#pragma once

#include <adze/ext/draft/evaluate.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "host/abi/call.hpp"
#include "host/dataset/dataset.hpp"
#include "host/evaluate/runner.hpp"

namespace adze::host {

/// Serves one call.
class EvaluateService : public Service {
 public:
  /// Compiles a graph for batches of `batch` samples.
  using Compile = std::function<std::unique_ptr<Runner>(const Graph& graph, std::uint32_t batch)>;

  /// Identical outputs have this SQNR, and no others a higher one.
  static constexpr double kHighestSqnrDb = 200;

  /// `shown`: what the call shows. `samples`: those held out, of which no other service may tell.
  /// Both must outlive the service. `metric`: top1 | top5; empty: there is no task score.
  EvaluateService(const Graph& shown, const Dataset& samples, std::string metric, Compile compile);
  ~EvaluateService() override;
  const char* id() const override { return ADZE_EVALUATE; }
  const void* table() const override;

  /// `edits` speak of the shown graph. `max_samples` 0: all. Errors: NOT_FOUND for the task score
  /// without labels or metric; UNIMPLEMENTED for an unknown kind; DATA_LOSS for NaN or infinity in
  /// an output; those of the runner.
  double score(const EditList& edits, std::uint32_t kind, std::uint32_t max_samples);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace adze::host
