// The lab engineer's question: is the model on the board what it was on the host?
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "hil/session/board_runner.hpp"
#include "host/compare/compare.hpp"
#include "host/dataset/dataset.hpp"

namespace adze::hil {

struct ValidateOptions {
  std::string model;         ///< name for people
  std::string metric;        ///< top1 | top5 | output_error
  std::int64_t samples = 0;  ///< of the dataset; 0: all
  std::int64_t batch = 64;   ///< samples sent at a time
  /// What the board may differ from the emulation: classifiers by the share of samples with the
  /// same top-1, other outputs by signal to noise.
  double min_agreement = 0.99, min_sqnr_db = 25;
  std::optional<double> max_latency_ms;  ///< of the median
  /// By how many percentage points the metric may be below that of the FP32 model; of output_error,
  /// which has no points, nothing is asked.
  std::optional<double> max_drop;
  std::filesystem::path raw;  ///< where the times are stored first; empty: nowhere
};

struct ValidateResult {
  std::string verdict;               ///< PASS or FAIL
  std::vector<std::string> reasons;  ///< why FAIL
  std::string board, bundle;
  bool flash_skipped = false;
  std::string signed_by;
  std::int64_t samples = 0;
  Measurement measured;
  std::vector<RunWindow> windows;  ///< of the runs that were measured
  std::vector<host::OutputComparison> against_emulated, against_fp32;
  std::string emulated_verdict, fp32_verdict;
  std::string metric;
  /// nullopt: the outputs have NaN
  std::optional<double> metric_emulated, metric_measured, metric_fp32;
};

/// Flashes `bundle`, activates it, runs the dataset on the board and in both runners, compares.
/// Errors: RigError (verdict MISS: nothing is known about the model), PluginError (ERROR: it does
/// not run), those of the dataset.
ValidateResult validate(BoardSession& session, std::span<const std::byte> bundle,
                        host::Runner& emulated, host::Runner& fp32, const host::Dataset& dataset,
                        const ValidateOptions& options,
                        const BoardSession::Progress& progress = {});

}  // namespace adze::hil
