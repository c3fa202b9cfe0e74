// Small graphs, linked by hand, for tests of what components are shown and may do.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>

#include "host/base/file.hpp"
#include "host/graph/graph.hpp"
#include "host/plugin/registry.hpp"

namespace adze::host::test {

inline Value constant(std::string name, Shape shape, std::vector<float> elements) {
  Value value{.name = std::move(name), .shape = shape};
  value.constant = Tensor(DType::f32, shape, std::span<const float>(elements));
  return value;
}

/// input [N, 2] -> Gemm "first" (weight 3x2) -> hidden [N, 3] -> Gemm "last" (weight 2x3) ->
/// output [N, 2]. Values: 0 input, 1 and 2 constants of "first", 3 hidden, 4 and 5 of "last",
/// 6 output.
inline Graph two_gemms() {
  Graph graph;
  graph.values = {{.name = "input", .shape = Shape{1, 2}, .batch_axis = 0},
                  constant("first.weight", {3, 2}, {1, 2, 3, 4, 5, 6}),
                  constant("first.bias", {3}, {0, 0, 0}),
                  {.name = "hidden", .shape = Shape{1, 3}, .batch_axis = 0},
                  constant("last.weight", {2, 3}, {6, 5, 4, 3, 2, 1}),
                  constant("last.bias", {2}, {0, 0}),
                  {.name = "output", .shape = Shape{1, 2}, .batch_axis = 0}};
  graph.nodes = {{.op = "Gemm",
                  .name = "first",
                  .op_version = 13,
                  .inputs = {0, 1, 2},
                  .outputs = {3},
                  .attributes = {{"transB", std::int64_t{1}}}},
                 {.op = "Gemm",
                  .name = "last",
                  .op_version = 13,
                  .inputs = {3, 4, 5},
                  .outputs = {6},
                  .attributes = {{"transB", std::int64_t{1}}}}};
  graph.inputs = {0};
  graph.outputs = {6};
  for (std::uint32_t n = 0; n < graph.nodes.size(); ++n) {
    for (const std::uint32_t input : graph.nodes[n].inputs)
      graph.values[input].consumers.push_back(n);
    for (const std::uint32_t output : graph.nodes[n].outputs) graph.values[output].producer = n;
  }
  return graph;
}

inline std::filesystem::path test_plugin(const std::string& name) {
  // Set by CTest; by hand, the build folder is where the program lies.
  const char* build = std::getenv("ADZE_BINARY_DIR");
  return (build ? std::filesystem::path(build) : installation_root()) / "tests" / "plugins" /
         (name + ".so");
}

inline const LoadedPlugin& loaded(const std::string& name) {
  static std::map<std::string, LoadedPlugin> all;
  const auto found = all.find(name);
  return found != all.end() ? found->second
                            : all.emplace(name, load_plugin(test_plugin(name))).first->second;
}

inline Component component(const std::string& plugin, std::size_t index = 0) {
  const LoadedPlugin& from = loaded(plugin);
  return {from.plugin->components[index], &from};
}

}  // namespace adze::host::test
