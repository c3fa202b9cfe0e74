#include "hil/inventory/inventory.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "host/base/error.hpp"
#include "host/base/file.hpp"
#include "host/pipeline/toml_table.hpp"

namespace adze::hil {
namespace {

namespace fs = std::filesystem;
using host::Error;
using host::RigError;
using host::TomlTable;

bool is_id(const std::string& text) {
  return !text.empty() && text.size() <= 64 && text.front() != '.' && text.front() != '-' &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return std::isalnum(c) || c == '-' || c == '_' || c == '.';
         });
}

/// USB serial numbers and identifiers are the same in either case.
std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

PowerHooks parse_power(TomlTable table) {
  PowerHooks hooks{.on = table.texts("on").value_or(std::vector<std::string>{}),
                   .off = table.texts("off").value_or(std::vector<std::string>{}),
                   .cycle = table.texts("cycle").value_or(std::vector<std::string>{}),
                   .boot_s = table.integer("boot_s", 1).value_or(60)};
  table.refuse_other_keys();
  if (!hooks.any())
    throw Error(ADZE_INVALID_ARGUMENT,
                table.where() +
                    ": [board.power] needs `cycle`, or `on` and `off`: lists of a "
                    "program and its arguments");
  return hooks;
}

Meter parse_meter(TomlTable table) {
  Meter meter{.command = table.texts("command").value_or(std::vector<std::string>{}),
              .device = table.text("device").value_or(""),
              .baud = table.integer("baud", 1).value_or(115'200),
              .idle_s = table.number("idle_s").value_or(3)};
  if (!(meter.idle_s > 0 && meter.idle_s <= 600))
    table.fail(*table.raw().get("idle_s"), "'meter.idle_s' must be above 0, at most 600");
  table.refuse_other_keys();
  if (meter.command.empty() == meter.device.empty())
    throw Error(ADZE_INVALID_ARGUMENT,
                table.where() +
                    ": [board.meter] needs either `command`, a list of a program and its "
                    "arguments, or `device`");
  return meter;
}

InventoryBoard parse_board(TomlTable table) {
  static constexpr std::array<const char*, 5> kSchemes{"usb:", "ssh:", "tcp:", "unix:", "sim:"};
  const auto text = [&](const char* key) { return table.text(key).value_or(""); };
  InventoryBoard board{.id = table.required("id", table.text("id")),
                       .type = table.required("type", table.text("type")),
                       .link = table.required("link", table.text("link")),
                       .port = text("port"),
                       .agent_id = text("agent_id"),
                       .agent = text("agent"),
                       .console = text("console"),
                       .console_baud = table.integer("console_baud", 1).value_or(115'200),
                       .owner = text("owner"),
                       .notes = text("notes"),
                       .tags = table.texts("tags").value_or(std::vector<std::string>{}),
                       .fixtures = table.texts("fixtures").value_or(std::vector<std::string>{})};
  if (auto power = table.table("power")) board.power = parse_power(*power);
  if (auto meter = table.table("meter")) board.meter = parse_meter(*meter);
  if (auto quirks = table.table("quirks")) {
    board.timeout_multiplier = quirks->number("timeout_multiplier").value_or(1);
    if (!(board.timeout_multiplier >= 0.1 && board.timeout_multiplier <= 100))
      quirks->fail(*quirks->raw().get("timeout_multiplier"),
                   "'quirks.timeout_multiplier' must be from 0.1 to 100");
    board.replug_s = quirks->integer("replug_s", 0).value_or(board.replug_s);
    quirks->refuse_other_keys();
  }
  table.refuse_other_keys();
  if (!is_id(board.id))
    table.fail(*table.raw().get("id"),
               "'" + board.id + "' is no id: letters, digits, '-', '_' and '.', at most 64");
  if (std::none_of(kSchemes.begin(), kSchemes.end(),
                   [&](const char* scheme) { return board.link.starts_with(scheme); }))
    table.fail(*table.raw().get("link"), "'" + board.link +
                                             "' is no link; use usb:SERIAL, usb:PORTPATH, "
                                             "ssh:USER@HOST, tcp:127.0.0.1:PORT, unix:PATH or "
                                             "sim:ID");
  if (!board.port.empty() && !board.link.starts_with("usb:"))
    table.fail(*table.raw().get("port"), "'port' is for boards on USB");
  if (board.agent_id.empty()) board.agent_id = board.id;
  return board;
}

}  // namespace

const InventoryBoard* Inventory::find(const std::string& name) const {
  const auto found = std::find_if(boards.begin(), boards.end(), [&](const InventoryBoard& board) {
    return board.id == name || lower(board.link) == lower(name);
  });
  return found == boards.end() ? nullptr : &*found;
}

Inventory parse_inventory(std::string_view text, const fs::path& file) {
  const toml::table parsed = host::parse_toml(text, file);
  TomlTable root(parsed, file, "");
  const std::vector<TomlTable> tables = root.tables("board");
  root.refuse_other_keys();
  Inventory inventory{.file = file, .boards = {}};
  for (const TomlTable& table : tables) {
    InventoryBoard board = parse_board(table);
    if (const InventoryBoard* other = inventory.find(board.id))
      table.fail(*table.raw().get("id"), "'" + other->id + "' is there twice");
    if (const InventoryBoard* other = inventory.find(board.link))
      table.fail(*table.raw().get("link"), "'" + other->id + "' is on this link already");
    inventory.boards.push_back(std::move(board));
  }
  return inventory;
}

Inventory load_inventory() {
  if (const char* named = ::secure_getenv("ADZE_BOARDS"))
    return parse_inventory(host::read_text_file(named), named);
  const char* home = ::secure_getenv("HOME");
  for (const fs::path& file : {fs::path(home ? home : "/") / ".config" / "adze" / "boards.toml",
                               fs::path("/etc/adze/boards.toml")})
    if (fs::exists(file)) return parse_inventory(host::read_text_file(file), file);
  return {};
}

void check_place(const InventoryBoard& board, const std::vector<FoundBoard>& found) {
  if (!board.link.starts_with("usb:")) return;
  const std::string name = lower(board.link.substr(4));
  std::vector<const FoundBoard*> matches;
  for (const FoundBoard& candidate : found)
    if (candidate.link == "usb" &&
        (lower(candidate.serial) == name || lower(candidate.location) == name))
      matches.push_back(&candidate);
  if (matches.size() > 1)
    throw RigError(ADZE_FAILED_PRECONDITION, std::to_string(matches.size()) + " boards answer to " +
                                                 board.link + " (at " + matches[0]->location +
                                                 " and " + matches[1]->location + "); give '" +
                                                 board.id +
                                                 "' the link usb:PORTPATH, or one of them another "
                                                 "serial number");
  if (!board.port.empty() && matches.size() == 1 && matches[0]->location != board.port)
    throw RigError(ADZE_FAILED_PRECONDITION,
                   "board '" + board.id + "' is at USB port " + matches[0]->location +
                       ", the inventory says " + board.port +
                       ": its power and console may belong to another board; correct 'port'");
}

void check_identity(const InventoryBoard& board, const HelloReply& hello) {
  const auto differs = [&](const char* what, const std::string& is, const std::string& listed) {
    throw RigError(ADZE_FAILED_PRECONDITION, "the board at " + board.link + " is not '" + board.id +
                                                 "': its " + what + " is '" + is +
                                                 "', the inventory says '" + listed +
                                                 "'; nothing was written to it");
  };
  if (hello.board != board.agent_id) differs("name", hello.board, board.agent_id);
  if (hello.board_type != board.type) differs("board type", hello.board_type, board.type);
  if (!board.agent.empty() && hello.agent != board.agent)
    differs("agent's version", hello.agent, board.agent);
}

}  // namespace adze::hil
