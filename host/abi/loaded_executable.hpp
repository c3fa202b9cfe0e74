// A backend without the model: what runs on a board, from the files of a bundle.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "host/abi/executable.hpp"

namespace adze::host {

/// The inputs and outputs of a graph and nothing else: what load() is shown.
Graph signature_of(const Graph& graph);

/// Nodes of a graph in its order: what profile rows are named by after load().
std::vector<std::string> node_names_of(const Graph& graph);

/// An executable from the files that artifacts() named, as a Runner.
class LoadedExecutable : public Runner {
 public:
  struct Options {
    std::uint32_t batch = 1;              ///< as when it was compiled
    std::vector<std::string> node_names;  ///< of the compiled graph
    std::string label;                    ///< what name() returns
  };
  /// `signature`: inputs and outputs as when it was compiled. Errors: UNIMPLEMENTED when the
  /// backend cannot load; PluginError, with DATA_LOSS for files that are not what it wrote.
  LoadedExecutable(const Component& backend, const Settings& settings, Graph signature,
                   const std::filesystem::path& dir, const CallOptions& options,
                   Options load_options);
  std::string name() const override { return label_; }
  std::vector<NamedTensor> run(std::span<const Tensor> inputs) override {
    return executable_.run(inputs);
  }
  std::vector<ProfileRow> profile() override { return executable_.profile(); }
  std::uint32_t batch() const { return executable_.batch(); }

 private:
  std::string label_;
  Executable executable_;
};

}  // namespace adze::host
