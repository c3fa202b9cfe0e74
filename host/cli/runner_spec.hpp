// Runners as users write them: "cpu:model.onnx", "drpai:model.onnx", "board:ID:model.onnx".
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "host/abi/executable.hpp"
#include "host/cli/command.hpp"
#include "host/dataset/dataset.hpp"
#include "host/evaluate/runner.hpp"

namespace adze::host {

/// A model with the runner that runs it.
struct OpenedRunner {
  Graph graph;
  std::unique_ptr<Target> target;  ///< what the runner's calls show; outlives it
  std::unique_ptr<Runner> runner;
  std::vector<Unavailable> unavailable;  ///< layers that the runner cannot show
};

struct RunnerOptions {
  std::string board_type;             ///< gives a backend its target
  std::uint32_t batch = 1;            ///< samples in one run
  std::vector<std::string> settings;  ///< arguments of the backend, name=value
  std::vector<std::string> layers;    ///< values to show besides the outputs, where they can be
};

/// Errors: INVALID_ARGUMENT for a text of another form.
OpenedRunner open_runner(Context& context, const std::string& spec, const RunnerOptions& options);
/// The model of a runner, without opening it. Errors: as open_runner; also for a board, which shows
/// no layers.
Graph graph_for_layers(const std::string& spec);

}  // namespace adze::host
