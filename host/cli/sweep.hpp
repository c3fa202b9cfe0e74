// adze optimize --sweep: one recipe at several sparsities, side by side.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "host/cli/command.hpp"
#include "host/pipeline/optimize.hpp"

namespace adze::host {

struct SweepOptions {
  std::vector<double> sparsities;  ///< ascending, not empty
  std::filesystem::path out;
  std::int64_t samples = 0;
};

/// Writes a folder sparsity-S for each, as optimize does, and sweep.json and report.html about all
/// that are done after each of them. One error database serves all. Errors: INVALID_ARGUMENT when
/// the recipe has not exactly one pruner whose sparsity can be chosen; those of optimize().
void run_sweep(const Recipe& recipe, const SweepOptions& options, Context& context);

/// optimize() with its progress on stderr.
OptimizeResult optimize_with_progress(const Recipe& recipe, Context& context,
                                      OptimizeOptions options, const std::string& prefix = {});
/// Writes what optimize writes, the report among it.
void write_results(const OptimizeResult& result, const std::filesystem::path& folder);

}  // namespace adze::host
