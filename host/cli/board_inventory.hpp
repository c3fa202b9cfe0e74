// adze board list, lock, unlock, power.
#pragma once

#include "host/cli/command.hpp"

namespace adze::host {

void add_board_inventory(CLI::App& group, Context& context);

}  // namespace adze::host
