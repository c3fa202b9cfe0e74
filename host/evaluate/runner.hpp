// Whatever can run a model: a backend component on this machine, or a board. Comparison and
// evaluation see runners and nothing else.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "host/base/tensor.hpp"

namespace adze::host {

/// Nodes that ran as one, and what they cost.
struct ProfileRow {
  std::vector<std::string> nodes;  ///< empty: work that belongs to no node, such as a hand-over
  std::string engine;              ///< "DRP-AI", "CPU", ...
  double latency_ms = 0;
  std::uint64_t bytes = 0;  ///< moved to and from memory; 0: not known
  bool predicted = false;
};

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

class Runner {
 public:
  virtual ~Runner() = default;
  /// As users write it: "cpu:resnet.onnx", "board:v2h-01:resnet.onnx".
  virtual std::string name() const = 0;
  /// `inputs`: in the model's order, any number of samples along the batch axis (axis 0). Returns
  /// the model's outputs in order, then the extra outputs that were asked for when it was made.
  /// Errors: PluginError, RigError.
  virtual std::vector<NamedTensor> run(std::span<const Tensor> inputs) = 0;
  /// Of the last run, or predicted before the first; empty when the runner cannot tell.
  virtual std::vector<ProfileRow> profile() = 0;
};

}  // namespace adze::host
