#include "hil/inventory/power.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include "hil/inventory/program.hpp"
#include "host/base/error.hpp"

namespace adze::hil {
namespace {

using host::Error;
using host::RigError;

constexpr std::int64_t kHookMs = 60'000, kPauseMs = 200;
constexpr std::size_t kMostPrinted = 2000;

/// Empty: it does not answer.
std::string boot_id_of(const InventoryBoard& board) {
  try {
    auto session = BoardSession::open(board.link, {.hello_ms = 2'000, .quick_ms = 2'000});
    check_identity(board, session.board());
    return session.info().boot_id;
  } catch (const RigError& error) {
    if (error.code == ADZE_FAILED_PRECONDITION) throw;  // another board
    return {};
  }
}

void set_power(const InventoryBoard& board) {
  if (!board.power.cycle.empty()) return run_hook(board.power.cycle, kHookMs);
  run_hook(board.power.off, kHookMs);
  run_hook(board.power.on, kHookMs);
}

}  // namespace

void run_hook(const std::vector<std::string>& arguments, std::int64_t timeout_ms) {
  Program program(arguments, "power hook");
  const Deadline end = host::after_ms(timeout_ms);
  std::string printed;
  for (;;) {
    // Asked first: what it printed before its end is read.
    const bool ended = program.ended().has_value();
    char piece[512];
    const ssize_t got = ::read(program.output(), piece, sizeof piece);
    if (got > 0 && printed.size() < kMostPrinted)
      printed.append(piece, static_cast<std::size_t>(got));
    if (ended && got <= 0) break;
    if (host::remaining_ms(end) == 0)
      throw RigError(ADZE_DEADLINE_EXCEEDED, "the power hook '" + arguments[0] +
                                                 "' did not end in time and was killed; it "
                                                 "printed: " +
                                                 printed);
    if (got <= 0) ::usleep(10'000);
  }
  const int status = *program.ended();
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    throw RigError(ADZE_UNAVAILABLE,
                   "the power hook '" + arguments[0] + "' failed; it printed: " + printed);
}

PowerCycle power_cycle(const InventoryBoard& board,
                       const std::function<void(const std::string&)>& say) {
  if (!board.power.any())
    throw Error(ADZE_FAILED_PRECONDITION, "the inventory has no [board.power] for '" + board.id +
                                              "'; give it `cycle`, or `on` and `off`");
  const auto tell = [&](const char* doing) {
    if (say) say(doing);
  };
  PowerCycle result{.boot_id_before = boot_id_of(board)};
  tell("switching");
  set_power(board);
  const Deadline begin = std::chrono::steady_clock::now(),
                 end = host::after_ms(board.power.boot_s * 1000);
  tell("waiting for it to boot");
  for (;;) {
    result.boot_id_after = boot_id_of(board);
    const bool answers = !result.boot_id_after.empty();
    result.seen_off |= !answers;
    result.away_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                         std::chrono::steady_clock::now() - begin)
                         .count();
    if (answers && result.boot_id_after != result.boot_id_before) return result;
    if (host::remaining_ms(end) > 0) {
      ::usleep(kPauseMs * 1000);
      continue;
    }
    if (!answers)
      throw RigError(ADZE_UNAVAILABLE, "board '" + board.id + "' did not come back within " +
                                           std::to_string(board.power.boot_s) +
                                           " s of its power; look at its console");
    throw RigError(ADZE_FAILED_PRECONDITION,
                   "board '" + board.id +
                       "' was not restarted: its boot id is the same as before; does the hook "
                       "switch this board, and does its hub really cut the power?");
  }
}

}  // namespace adze::hil
