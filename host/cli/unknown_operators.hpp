// What commands say about operators that nobody knows.
#pragma once

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "host/graph/graph.hpp"

namespace adze::host {

/// load_simplified() for commands that run nothing: operators may be unknown, see
/// host/onnx/load_to_place.hpp.
Graph load_to_place(const std::filesystem::path& path, const std::vector<std::string>& shapes);

/// A warning a node, for machine output; the loader has told people.
inline nlohmann::json unknown_operators(const Graph& graph) {
  nlohmann::json warnings = nlohmann::json::array();
  for (const Node& node : graph.nodes)
    if (node.op_version == 0)
      warnings.push_back(
          fmt::format("node '{}': operator '{}' is not known and runs on the CPU; its "
                      "time is that of moving its values",
                      node.name, node.op));
  return warnings;
}

}  // namespace adze::host
