// The extensions that the checker offers. What they answer is made up: a validator's verdict must
// not depend on which other plugins are installed, and odd graphs have no backend that runs them.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "host/abi/call.hpp"
#include "host/graph/graph.hpp"

namespace adze::host::check {

/// Whether services() has it for a component of this kind.
bool is_served(ComponentKind kind, const std::string& id);

/// `graph` and `work_dir` must outlive them. `refits`: nodes to correct without pruning them.
std::vector<std::unique_ptr<Service>> services_for(ComponentKind kind, const Graph& graph,
                                                   const std::vector<std::uint32_t>& targets,
                                                   const std::vector<std::uint32_t>& refits,
                                                   std::uint32_t threads,
                                                   const std::filesystem::path& work_dir);

/// Numbers of this shape, -1 standing for 1, the same each time for the same `name`.
Tensor made_up(DType dtype, const Shape& shape, const std::string& name);

}  // namespace adze::host::check
