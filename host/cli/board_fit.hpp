// adze board fit.
#pragma once

#include "host/cli/command.hpp"

namespace adze::host {

void add_board_fit(CLI::App& group, Context& context);

}  // namespace adze::host
