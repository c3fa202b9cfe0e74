// adze board list, lock, unlock, power: the boards of the lab.
#include "host/cli/board_inventory.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "hil/inventory/inventory.hpp"
#include "hil/inventory/lock.hpp"
#include "hil/inventory/power.hpp"

namespace adze::host {
namespace {

using nlohmann::json;

struct LockOptions {
  std::string board, reason;
  double hours = 8;
  bool force = false;
};

json lock_json(const std::optional<hil::BoardLock>& lock) {
  if (!lock) return nullptr;
  return {{"holder", lock->holder}, {"reason", lock->reason}, {"boot_id", lock->boot_id},
          {"pid", lock->pid},       {"since", lock->since_s}, {"expires", lock->expires_s}};
}

std::string minutes_left(const hil::BoardLock& lock) {
  const std::int64_t left = std::max<std::int64_t>(0, lock.expires_s - ::time(nullptr));
  return fmt::format("{}:{:02} h", left / 3600, left / 60 % 60);
}

bool is_there(const hil::InventoryBoard& board, const std::vector<hil::FoundBoard>& found) {
  return std::ranges::any_of(found, [&](const hil::FoundBoard& there) {
    return there.address == board.link ||
           (there.link == "usb" && board.link == "usb:" + there.location);
  });
}

void list_boards(Context& context) {
  const hil::Inventory inventory = hil::load_inventory();
  const std::vector<hil::FoundBoard> found = hil::find_boards();
  json boards = json::array(), listed = json::array();
  Table table({"address", "link", "serial", "where"});
  for (const hil::FoundBoard& board : found) {
    boards.push_back({{"address", board.address},
                      {"link", board.link},
                      {"serial", board.serial},
                      {"location", board.location}});
    table.row({board.address, board.link, board.serial, board.location});
  }
  Table lab({"id", "type", "link", "state", "tags", "owner"});
  for (const hil::InventoryBoard& board : inventory.boards) {
    const auto lock = hil::lock_of(board.id);
    // Boards behind ssh and TCP are not disturbed to find out.
    const bool looked = !board.link.starts_with("ssh:") && !board.link.starts_with("tcp:");
    const char* state = !looked ? "not looked for" : is_there(board, found) ? "there" : "not there";
    listed.push_back({{"id", board.id},
                      {"type", board.type},
                      {"link", board.link},
                      {"state", state},
                      {"lock", lock_json(lock)},
                      {"tags", board.tags},
                      {"fixtures", board.fixtures},
                      {"owner", board.owner}});
    lab.row({board.id, board.type, board.link,
             lock ? fmt::format("{}, locked by {} for {}", state, lock->holder, minutes_left(*lock))
                  : state,
             fmt::format("{}", fmt::join(board.tags, " ")), board.owner});
  }
  std::string text;
  if (!inventory.boards.empty())
    text += fmt::format("{}:\n{}\n", inventory.file.string(), lab.str());
  text +=
      found.empty() ? "no board found; `adze board sim ID` starts a simulated one\n" : table.str();
  context.result({{"boards", boards}, {"inventory", listed}}, text);
}

/// The id, where there is an inventory; any id where there is none.
std::string known_id(const std::string& name) {
  const hil::Inventory inventory = hil::load_inventory();
  const hil::InventoryBoard* board = inventory.find(name);
  if (!board && !inventory.boards.empty())
    throw Error(ADZE_NOT_FOUND, "'" + inventory.file.string() + "' lists no board '" + name +
                                    "'; `adze board list` shows those it does");
  return board ? board->id : name;
}

void lock(const LockOptions& options, Context& context) {
  const hil::BoardLock taken = hil::lock_board(
      known_id(options.board), static_cast<std::int64_t>(options.hours * 3600), options.reason);
  json document = lock_json(taken);
  document["board"] = taken.board;
  context.result(document, fmt::format("board '{}' is locked by {} for {}\n", taken.board,
                                       taken.holder, minutes_left(taken)));
}

void unlock(const LockOptions& options, Context& context) {
  const std::string id = known_id(options.board);
  const bool was_locked = hil::unlock_board(id, options.force);
  context.result({{"board", id}, {"was_locked", was_locked}},
                 fmt::format("board '{}' {}\n", id, was_locked ? "is free" : "was not locked"));
}

void cycle_power(const LockOptions& options, Context& context) {
  const hil::Inventory inventory = hil::load_inventory();
  const hil::InventoryBoard* board = inventory.find(options.board);
  if (!board)
    throw Error(ADZE_NOT_FOUND, "no board '" + options.board +
                                    "' in the inventory: who switches its power is said there");
  hil::require_not_locked(board->id);
  hil::PowerCycle cycle;
  {
    ProgressBar bar(context, "power of " + board->id);
    cycle = hil::power_cycle(*board, [&](const std::string& doing) { bar.update(0, doing); });
  }
  context.result({{"board", board->id},
                  {"seen_off", cycle.seen_off},
                  {"away_ms", cycle.away_ms},
                  {"boot_id_before",
                   cycle.boot_id_before.empty() ? json(nullptr) : json(cycle.boot_id_before)},
                  {"boot_id_after", cycle.boot_id_after}},
                 fmt::format("board '{}' was restarted and answers again after {:.1f} s\n",
                             board->id, static_cast<double>(cycle.away_ms) / 1000));
}

}  // namespace

void add_board_inventory(CLI::App& group, Context& context) {
  const auto options = std::make_shared<LockOptions>();
  group
      .add_subcommand("list",
                      "Boards that can be reached now, and those of the inventory ($ADZE_BOARDS, "
                      "~/.config/adze/boards.toml or /etc/adze/boards.toml)")
      ->callback([&context] { list_boards(context); });
  auto* locking = group.add_subcommand("lock", "Set a board aside; others are told who has it");
  locking->add_option("board,--board", options->board, "Its id")->required();
  locking->add_option("--hours", options->hours, "For how long")
      ->check(CLI::Range(0.001, 24.0 * 30))
      ->capture_default_str();
  locking->add_option("--reason", options->reason, "What for");
  locking->callback([options, &context] { lock(*options, context); });
  auto* unlocking = group.add_subcommand("unlock", "Give a board back");
  unlocking->add_option("board,--board", options->board, "Its id")->required();
  unlocking->add_flag("--force", options->force, "Also when somebody else has it");
  unlocking->callback([options, &context] { unlock(*options, context); });
  auto* power = group.add_subcommand(
      "power",
      "Switch a board off and on by the hooks of the inventory; done when it answers with "
      "another boot id");
  power->add_option("board,--board", options->board, "Its id")->required();
  power->callback([options, &context] { cycle_power(*options, context); });
}

}  // namespace adze::host
