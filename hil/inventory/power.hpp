// Switching a board off and on, and whether it really was.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "hil/inventory/inventory.hpp"

namespace adze::hil {

/// Runs a program with its arguments, no shell, and waits. Errors: NOT_FOUND when there is no such
/// program; RigError DEADLINE_EXCEEDED (it is killed), or UNAVAILABLE with what it printed when it
/// did not exit with 0.
void run_hook(const std::vector<std::string>& arguments, std::int64_t timeout_ms);

struct PowerCycle {
  bool seen_off = false;  ///< its agent did not answer in between
  std::int64_t away_ms = 0;
  std::string boot_id_before, boot_id_after;
};

/// Power is what the board shows, not what a hook returns: its agent must come back within boot_s
/// with another boot id. A board that does not answer before is cycled all the same. Errors:
/// FAILED_PRECONDITION without hooks; RigError of the hook, UNAVAILABLE when it does not come back,
/// FAILED_PRECONDITION when it comes back without having restarted.
PowerCycle power_cycle(const InventoryBoard& board,
                       const std::function<void(const std::string& doing)>& say = {});

}  // namespace adze::hil
