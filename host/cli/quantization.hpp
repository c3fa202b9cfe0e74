// adze inspect --quantization: is a model really INT8, and where not?
#pragma once

#include <filesystem>

#include "host/cli/command.hpp"

namespace adze::host {

/// Prints a line a node and a line a tensor that lies on a grid, for QDQ files and for those with Q
/// operators.
void inspect_quantization(const std::filesystem::path& model, Context& context);

}  // namespace adze::host
