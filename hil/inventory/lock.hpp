// A board set aside for a person for some time. The agent's lease is what keeps two programs from
// one board; this keeps others from starting.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace adze::hil {

struct BoardLock {
  std::string board, holder, reason;
  std::string boot_id;                      ///< of this machine: a restart lets go of all locks
  std::int64_t pid = 0;                     ///< who made it
  std::int64_t since_s = 0, expires_s = 0;  ///< Unix time
};

/// $ADZE_HOLDER, or user@machine.
std::string lock_holder();
/// $ADZE_LOCKS; /run/lock/adze where the lab has made it; otherwise a folder of the user's own.
std::filesystem::path lock_folder();

/// The lock that holds now; nullopt: none, it has expired, or the machine was restarted since.
/// Errors: DATA_LOSS for a file that is no lock.
std::optional<BoardLock> lock_of(const std::string& board);
/// Takes it, or makes one's own longer. Errors: RigError UNAVAILABLE naming the holder.
BoardLock lock_board(const std::string& board, std::int64_t seconds, const std::string& reason);
/// False: it was not locked. Errors: RigError UNAVAILABLE when it is another's, unless `force`.
bool unlock_board(const std::string& board, bool force);
/// Errors: RigError UNAVAILABLE when somebody else has it.
void require_not_locked(const std::string& board);

}  // namespace adze::hil
