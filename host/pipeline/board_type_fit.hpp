// Fits the cost coefficients of a board type to measured or published latencies.
#pragma once

#include <functional>

#include "host/abi/backend.hpp"
#include "host/pipeline/board_type.hpp"

namespace adze::host {

struct TimedModel {
  std::string model;   ///< file name of an ONNX file
  std::string family;  ///< models that are left out together; may be empty
  double latency_ms = 0;
  double sparsity = 0;    ///< of every layer that a pruner may change unless told otherwise
  std::string toolchain;  ///< version; empty: that of the board type
};

/// Rows of a CSV file with a heading: `model` (or `file`), the time in `ms` (or in `time_column`),
/// and maybe `family`, `sparsity` (a share) and `toolchain`
/// (a version). Lines that start with # and rows with an empty time
/// are left out. Errors: INVALID_ARGUMENT with the line.
std::vector<TimedModel> read_timed_models(const std::filesystem::path& file,
                                          const std::string& time_column);

struct FitErrors {
  double median = 0, p90 = 0;  ///< of |predicted - measured| / measured
  double within = 0;           ///< share within 20 % or 1 ms
  double rank = 0;             ///< Spearman's correlation
};
FitErrors fit_errors(std::span<const double> predicted, std::span<const double> measured);

struct FittedModel {
  TimedModel timed;
  double fitted_ms = 0;
  double left_out_ms = 0;               ///< predicted by a fit to the other rows
  std::optional<double> family_out_ms;  ///< by a fit to the other families
};

struct BoardFit {
  std::vector<std::pair<std::string, double>> coefficients;  ///< "cost.ai_mac.ms_per_gmac"
  std::vector<FittedModel> models;
  FitErrors fit, leave_one_out;
  std::optional<FitErrors> leave_family_out;  ///< when the rows name families
  double interval_factor = 1;                 ///< 9 of 10 left-out models are within it
};

/// The coefficients that `fit.terms` of the board type names, such that the backend's predictions
/// come near the times. The backend must be linear in the facts "cost.SECTION.NAME". `models`:
/// folders, the first that has a file counts. Errors: NOT_FOUND for a model that is in none of
/// them; INVALID_ARGUMENT for too few rows.
BoardFit fit_board_type(const Component& backend, const Facts& facts,
                        const std::vector<TimedModel>& rows,
                        const std::vector<std::filesystem::path>& models,
                        const CallOptions& options,
                        const std::function<void(double, const std::string&)>& progress);

/// `text` of a board type with the coefficients and errors of `fit` in place of its own.
std::string with_fit(const std::string& text, const BoardFit& fit);

}  // namespace adze::host
