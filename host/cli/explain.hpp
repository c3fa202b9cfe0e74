// adze inspect --explain.
#pragma once

#include "host/cli/command.hpp"

namespace adze::host {

/// Each node that leaves the accelerator, with the reason and the rewrite that would keep it.
/// `board_types`: one; empty: rzv2h.
void explain_placement(const std::filesystem::path& model,
                       const std::vector<std::string>& board_types, Context& context);

}  // namespace adze::host
