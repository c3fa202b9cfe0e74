// boards.toml: the boards of a lab, by the names people give them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hil/session/session.hpp"

namespace adze::hil {

/// How a board is switched: programs with their arguments, run as they are, never by a shell.
/// Empty: there is no such hook.
struct PowerHooks {
  std::vector<std::string> on, off, cycle;
  std::int64_t boot_s = 60;  ///< until the agent answers again
  bool any() const { return !cycle.empty() || (!on.empty() && !off.empty()); }
};

/// A meter that prints lines of "seconds,watts": a program with its arguments, or a serial line.
struct Meter {
  std::vector<std::string> command;
  std::string device;
  std::int64_t baud = 115'200;
  double idle_s = 3;  ///< how long the idle board is measured before a run
};

/// One [[board]].
struct InventoryBoard {
  std::string id;
  std::string type;      ///< board type: "rzv2h"
  std::string link;      ///< address: "usb:LAB0001", "ssh:root@10.0.0.7"
  std::string port;      ///< USB port path where it must be; empty: anywhere
  std::string agent_id;  ///< what its agent calls itself; by default the id
  std::string agent;     ///< version its agent must have; empty: any
  std::string console;   ///< device of the serial console
  std::int64_t console_baud = 115'200;
  std::string owner, notes;
  std::vector<std::string> tags, fixtures;
  PowerHooks power;
  Meter meter;
  // Quirks.
  double timeout_multiplier = 1;
  std::int64_t replug_s = 5;  ///< how long it may be away after a fault
};

struct Inventory {
  std::filesystem::path file;  ///< empty: there is none
  std::vector<InventoryBoard> boards;
  /// By id, or by link; nullptr: not listed.
  const InventoryBoard* find(const std::string& name) const;
};

/// Errors, all with file:line:column: INVALID_ARGUMENT for an unknown key (with the nearest one), a
/// missing or ill-typed one, an id that is there twice, two boards on one link.
Inventory parse_inventory(std::string_view text, const std::filesystem::path& file);
/// $ADZE_BOARDS, ~/.config/adze/boards.toml or /etc/adze/boards.toml, the first that is there;
/// without any an empty inventory. Errors: NOT_FOUND when $ADZE_BOARDS names no file.
Inventory load_inventory();

/// Before the link is opened: that exactly one board answers to it, at the port it belongs to.
/// `found`: what is there. Errors: RigError FAILED_PRECONDITION.
void check_place(const InventoryBoard& board, const std::vector<FoundBoard>& found);
/// Before anything is written: that who answered is the board that is listed. Errors: RigError
/// FAILED_PRECONDITION saying what differs.
void check_identity(const InventoryBoard& board, const HelloReply& hello);

}  // namespace adze::hil
