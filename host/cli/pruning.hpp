// What pruning could do to each layer of a model: its weights, its time, what it would lose.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "host/cli/command.hpp"

namespace adze::host {

struct PruningOptions {
  bool wanted = false;
  std::filesystem::path model, data;  ///< data: TOML with [calibration]; empty: without data
  std::string board_type = "rzv2h";
  std::string levels = "sparsity=0.5,0.7,0.8,0.9,0.95";
  std::int64_t samples = 64;  ///< of the calibration set, at most
};

/// Prints a line a layer. Errors: INVALID_ARGUMENT for levels, or data without [calibration].
void inspect_pruning(const PruningOptions& options, Context& context);

}  // namespace adze::host
