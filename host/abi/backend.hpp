// A backend component behind C++ types: place, estimate, compile, and the Runner over an
// executable.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "host/abi/call.hpp"
#include "host/abi/executable.hpp"
#include "host/evaluate/runner.hpp"

namespace adze::host {

struct Placement {
  std::string node;
  std::uint32_t verdict = ADZE_PLACED;
  std::string unit, reason;
};

struct WhatIf {
  std::uint32_t node = kNone;
  double sparsity = 0;
  std::uint32_t input_channels = 0, output_channels = 0;  ///< left; 0: as shown
};

/// Where each node would run on the board type. One entry a node, in the graph's order.
std::vector<Placement> place(const Component& backend, const Settings& settings, const Graph& graph,
                             const CallOptions& options);
/// Predicted latency of each question. Errors: UNIMPLEMENTED when the backend does not estimate.
std::vector<double> estimate(const Component& backend, const Settings& settings, const Graph& graph,
                             const CallOptions& options, std::span<const WhatIf> questions);

struct CompileOptions {
  std::uint32_t batch = 1;
  std::vector<std::string> extra_outputs;  ///< names of values to return after the model's outputs
  /// Extra outputs that the backend cannot show are left out, see unavailable(); else an error.
  bool leave_out_unavailable = false;
  std::vector<Service*> services;  ///< offered to compile() besides adze.onnx-bytes/1
};

/// A compiled model as a Runner. Batches of any size are cut to the compiled one; the last is
/// padded.
class BackendRunner : public Runner {
 public:
  /// Compiles `graph`, which is copied. `label` is what name() returns. Errors: PluginError naming
  /// the label, also when an extra output is unavailable.
  BackendRunner(const Component& backend, const Settings& settings, Graph graph, std::string label,
                const CallOptions& options, const CompileOptions& compile);
  ~BackendRunner() override;
  std::string name() const override { return label_; }
  std::vector<NamedTensor> run(std::span<const Tensor> inputs) override;
  std::vector<ProfileRow> profile() override;
  /// Extra outputs that were left out.
  const std::vector<Unavailable>& unavailable() const { return unavailable_; }
  /// Copies the backend's files for a bundle into `dir` and returns their relative paths, sorted.
  std::vector<std::string> artifacts(const std::filesystem::path& dir);

 private:
  struct Impl;
  std::string label_;
  std::unique_ptr<Impl> impl_;
  std::vector<Unavailable> unavailable_;
};

}  // namespace adze::host
