// What compile() or load() of a backend made, from birth to release: the part that a runner on the
// host and a board's worker share. Everything the backend reports is checked here.
#pragma once

#include <filesystem>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "host/abi/call.hpp"
#include "host/evaluate/runner.hpp"

namespace adze::host {

/// An extra output that a backend cannot show.
struct Unavailable {
  std::string value, reason;
};

class Executable {
 public:
  /// `graph` is what the calls show. `node_names` name the nodes of profile rows: those of `graph`,
  /// or of the graph that was compiled elsewhere. `options.target` must outlive the object.
  Executable(const Component& backend, Settings settings, Graph graph,
             std::vector<std::string> node_names, const CallOptions& options, std::uint32_t batch);
  ~Executable();
  Executable(const Executable&) = delete;
  Executable& operator=(const Executable&) = delete;

  /// `extras`: values to report besides the model's outputs. Those that cannot be shown are
  /// appended to `unavailable`; nullptr: that is an error. Errors: PluginError.
  void compile(const std::filesystem::path& work_dir, const std::vector<std::uint32_t>& extras,
               std::span<Service* const> services, std::vector<Unavailable>* unavailable = nullptr);
  /// Errors: UNIMPLEMENTED when the backend does not load; PluginError.
  void load(const std::filesystem::path& dir);

  /// As Runner::run. Errors: INVALID_ARGUMENT for inputs that are not the model's; PluginError.
  std::vector<NamedTensor> run(std::span<const Tensor> inputs);
  std::vector<ProfileRow> profile();
  /// Files below the work_dir of compile(), relative, sorted.
  std::vector<std::string> artifacts();

  const Graph& graph() const { return graph_; }
  std::uint32_t batch() const { return batch_; }

 private:
  struct Chunk;
  std::int64_t check_inputs(std::span<const Tensor> inputs) const;
  std::vector<Tensor> run_once(std::span<const Tensor> inputs);

  Component backend_;
  Settings settings_;
  Graph graph_;
  std::vector<std::string> node_names_;
  CallOptions options_;
  std::uint32_t batch_;
  View view_;
  std::filesystem::path work_dir_;
  std::vector<std::uint32_t> results_;  ///< values that run() returns: outputs, then extras
  std::set<std::string> artifacts_;
  void* executable_ = nullptr;
};

}  // namespace adze::host
