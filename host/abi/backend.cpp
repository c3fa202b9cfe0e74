#include "host/abi/backend.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "host/abi/executable.hpp"
#include "host/abi/loaded_executable.hpp"
#include "host/abi/onnx_bytes.hpp"
#include "host/abi/report.hpp"
#include "host/base/error.hpp"
#include "host/base/file.hpp"

namespace adze::host {
namespace {

namespace fs = std::filesystem;

const adze_backend& table_of(const Component& component) {
  if (component.kind() != ComponentKind::backend)
    throw Error(ADZE_INVALID_ARGUMENT,
                fmt::format("'{}' is a {}, not a backend", component.component->id,
                            kind_name(component.kind())));
  return *component.component->backend;
}

class PlacementReceiver : public ReportReceiver {
 public:
  explicit PlacementReceiver(const Graph& graph) : graph_(graph), found(graph.nodes.size()) {}

  void placement(std::uint32_t node, std::uint32_t verdict, std::string engine,
                 std::string reason) override {
    if (node >= found.size())
      throw Error(ADZE_INVALID_ARGUMENT,
                  fmt::format("report->placement: there is no node {}", node));
    const std::string& name = graph_.nodes[node].name;
    if (found[node])
      throw Error(ADZE_ALREADY_EXISTS,
                  fmt::format("report->placement: node '{}' was placed twice (S03)", name));
    if (verdict < ADZE_PLACED || verdict > ADZE_REFUSED)
      throw Error(ADZE_UNIMPLEMENTED,
                  fmt::format("report->placement: node '{}': unknown verdict {}", name, verdict));
    if (verdict != ADZE_PLACED && reason.empty())
      throw Error(ADZE_INVALID_ARGUMENT,
                  fmt::format("report->placement: node '{}' is not simply placed, which needs a "
                              "reason (S03)",
                              name));
    found[node] = Placement{name, verdict, std::move(engine), std::move(reason)};
  }

 private:
  const Graph& graph_;

 public:
  std::vector<std::optional<Placement>> found;
};

/// A call that asks about a graph without compiling it, ready for the component's function.
class GraphCall {
 public:
  GraphCall(const Component& backend, const Settings& settings, const Graph& graph,
            const CallOptions& options)
      : call(backend, settings, options), onnx_bytes_(graph, {}), view_(graph) {
    call.offer(onnx_bytes_);
    call.check_needs();
    instance_.emplace(call);
    call.show(view_);
  }
  void* self() const { return instance_->self(); }

  Call call;

 private:
  OnnxBytes onnx_bytes_;
  View view_;
  std::optional<Instance> instance_;
};

/// What a backend says speaks of nodes and values; of which model, it does not know.
template <class Body>
auto named(const std::string& label, Body&& body) {
  try {
    return body();
  } catch (const PluginError& error) {
    throw PluginError(error.code, label + ": " + error.what());
  }
}

}  // namespace

std::vector<Placement> place(const Component& backend, const Settings& settings, const Graph& graph,
                             const CallOptions& options) {
  const adze_backend& table = table_of(backend);
  GraphCall graph_call(backend, settings, graph, options);
  Call& call = graph_call.call;
  PlacementReceiver receiver(graph);
  receiver.receive(call);
  receiver.finish(call, table.place(graph_call.self(), call.get()), "place");
  std::vector<Placement> placements;
  for (std::size_t i = 0; i < receiver.found.size(); ++i) {
    if (!receiver.found[i])
      call.broke("place", "node '" + graph.nodes[i].name + "' was never placed (S03)");
    placements.push_back(std::move(*receiver.found[i]));
  }
  return placements;
}

std::vector<double> estimate(const Component& backend, const Settings& settings, const Graph& graph,
                             const CallOptions& options, std::span<const WhatIf> questions) {
  const adze_backend& table = table_of(backend);
  if (!ADZE_HAS(&table, adze_backend, estimate))
    throw Error(ADZE_UNIMPLEMENTED,
                fmt::format("backend '{}' does not predict latency", backend.component->id));
  std::vector<adze_what_if> asked;
  for (const WhatIf& question : questions) {
    if (question.node != kNone && question.node >= graph.nodes.size())
      throw Error(ADZE_INVALID_ARGUMENT, fmt::format("there is no node {}", question.node));
    asked.push_back({.struct_size = sizeof(adze_what_if),
                     .node = question.node,
                     .sparsity = question.sparsity,
                     .input_channels = question.input_channels,
                     .output_channels = question.output_channels});
  }
  std::vector<const adze_what_if*> pointers;
  for (const adze_what_if& question : asked) pointers.push_back(&question);
  std::vector<double> latency_ms(asked.size(), std::nan(""));  // so that a forgotten one shows
  if (asked.empty()) return latency_ms;

  GraphCall graph_call(backend, settings, graph, options);
  Call& call = graph_call.call;
  ReportReceiver receiver;
  receiver.receive(call);
  receiver.finish(call,
                  table.estimate(graph_call.self(), call.get(), pointers.data(), pointers.size(),
                                 latency_ms.data()),
                  "estimate");
  for (std::size_t i = 0; i < latency_ms.size(); ++i)
    if (!std::isfinite(latency_ms[i]) || latency_ms[i] < 0)
      call.broke("estimate", fmt::format("the answer to question {} is {} ms", i, latency_ms[i]));
  return latency_ms;
}

struct BackendRunner::Impl {
  Impl(const Component& backend, const Settings& settings, Graph graph, const CallOptions& options,
       std::uint32_t batch, std::vector<std::string> node_names)
      : executable(backend, settings, std::move(graph), std::move(node_names), options, batch) {}
  TemporaryDirectory work_dir;  // kept until the executable is released
  Executable executable;
};

BackendRunner::BackendRunner(const Component& backend, const Settings& settings, Graph graph,
                             std::string label, const CallOptions& options,
                             const CompileOptions& compile)
    : label_(std::move(label)) {
  std::vector<std::uint32_t> extras;
  for (const std::string& name : compile.extra_outputs) {
    extras.push_back(graph.find_value(name));
    if (extras.back() == kNone)
      throw Error(ADZE_NOT_FOUND, fmt::format("{} has no value '{}' to return", label_, name));
  }
  std::vector<std::string> node_names = node_names_of(graph);
  impl_ = std::make_unique<Impl>(backend, settings, std::move(graph), options, compile.batch,
                                 std::move(node_names));
  OnnxBytes onnx_bytes(impl_->executable.graph(), impl_->work_dir.path());
  std::vector<Service*> services{&onnx_bytes};
  services.insert(services.end(), compile.services.begin(), compile.services.end());
  named(label_, [&] {
    impl_->executable.compile(impl_->work_dir.path(), extras, services,
                              compile.leave_out_unavailable ? &unavailable_ : nullptr);
  });
}

BackendRunner::~BackendRunner() = default;

std::vector<NamedTensor> BackendRunner::run(std::span<const Tensor> inputs) {
  return named(label_, [&] { return impl_->executable.run(inputs); });
}

std::vector<ProfileRow> BackendRunner::profile() { return impl_->executable.profile(); }

std::vector<std::string> BackendRunner::artifacts(const fs::path& dir) {
  const std::vector<std::string> files = impl_->executable.artifacts();
  for (const std::string& file : files)
    write_file(dir / file, read_file(impl_->work_dir.path() / file));
  return files;
}

}  // namespace adze::host
