// Runners as users write them: "cpu:model.onnx", "drpai:model.onnx", "board:ID:model.onnx".
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "host/cli/command.hpp"
#include "host/dataset/dataset.hpp"
#include "host/evaluate/runner.hpp"

namespace adze::host {

/// A model with the runner that runs it.
struct OpenedRunner {
  Graph graph;
  std::unique_ptr<Target> target;  ///< what the runner's calls show; outlives it
  std::unique_ptr<Runner> runner;
};

/// `board_type` gives a backend its target. Extra outputs are value names. Errors: INVALID_ARGUMENT
/// for a text of another form.
OpenedRunner open_runner(Context& context, const std::string& spec, const std::string& board_type,
                         std::uint32_t batch, const std::vector<std::string>& extra_outputs = {});

}  // namespace adze::host
