#include "host/abi/loaded_executable.hpp"

#include <map>

namespace adze::host {

Graph signature_of(const Graph& graph) {
  Graph signature;
  signature.name = graph.name;
  signature.opset = graph.opset;
  signature.ir_version = graph.ir_version;
  std::map<std::uint32_t, std::uint32_t> kept;
  const auto keep = [&](std::uint32_t index) {
    const auto [at, added] =
        kept.emplace(index, static_cast<std::uint32_t>(signature.values.size()));
    if (added) {
      Value value = graph.value(index);
      value.producer = kNone;
      value.consumers.clear();
      signature.values.push_back(std::move(value));
    }
    return at->second;
  };
  for (const std::uint32_t input : graph.inputs) signature.inputs.push_back(keep(input));
  for (const std::uint32_t output : graph.outputs) signature.outputs.push_back(keep(output));
  return signature;
}

std::vector<std::string> node_names_of(const Graph& graph) {
  std::vector<std::string> names;
  for (const Node& node : graph.nodes) names.push_back(node.name);
  return names;
}

LoadedExecutable::LoadedExecutable(const Component& backend, const Settings& settings,
                                   Graph signature, const std::filesystem::path& dir,
                                   const CallOptions& options, Options load_options)
    : label_(std::move(load_options.label)),
      executable_(backend, settings, std::move(signature), std::move(load_options.node_names),
                  options, load_options.batch) {
  executable_.load(dir);
}

}  // namespace adze::host
