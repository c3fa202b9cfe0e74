#include "hil/inventory/lock.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>

#include "hil/link/link.hpp"
#include "host/base/error.hpp"
#include "host/base/file.hpp"
#include "host/base/owned_fd.hpp"

namespace adze::hil {
namespace {

namespace fs = std::filesystem;
using host::Error;
using host::RigError;
using nlohmann::json;

std::int64_t now_s() { return ::time(nullptr); }

std::string this_boot() {
  std::string id = host::read_text_file("/proc/sys/kernel/random/boot_id", 4096);
  return id.substr(0, id.find('\n'));
}

/// "2026-11-23 16:05 UTC"
std::string clock_text(std::int64_t unix_s) {
  const time_t at = unix_s;
  tm parts{};
  ::gmtime_r(&at, &parts);
  char text[64];
  ::strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &parts);
  return text;
}

/// The file of a board's lock, held against other processes while this lives.
class LockFile {
 public:
  explicit LockFile(const std::string& board) : board_(board) {
    if (board.empty() || board.find('/') != std::string::npos || board.front() == '.')
      throw Error(ADZE_INVALID_ARGUMENT, "'" + board + "' is no id of a board");
    path_ = lock_folder() / (board + ".lock");
    fd_ = host::OwnedFd(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0664));
    if (!fd_ || ::flock(fd_.get(), LOCK_EX)) fail("open");
  }
  std::optional<BoardLock> read() const {
    const std::string text = host::read_text_file(path_, 1u << 16);
    if (text.empty()) return std::nullopt;
    const json found = json::parse(text, nullptr, /*allow_exceptions=*/false);
    BoardLock lock{.board = board_};
    try {
      found.at("holder").get_to(lock.holder);
      found.at("reason").get_to(lock.reason);
      found.at("boot_id").get_to(lock.boot_id);
      found.at("pid").get_to(lock.pid);
      found.at("since").get_to(lock.since_s);
      found.at("expires").get_to(lock.expires_s);
    } catch (const json::exception&) {
      throw Error(ADZE_DATA_LOSS, "'" + path_.string() + "' is no lock of a board; remove it");
    }
    if (lock.expires_s <= now_s() || lock.boot_id != this_boot()) return std::nullopt;
    return lock;
  }
  void write(const std::string& text) const {
    if (::ftruncate(fd_.get(), 0) ||
        ::pwrite(fd_.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()) ||
        ::fsync(fd_.get()))
      fail("write");
  }

 private:
  [[noreturn]] void fail(const char* doing) const {
    throw Error(errno == EACCES ? ADZE_PERMISSION_DENIED : ADZE_FAILED_PRECONDITION,
                std::string("cannot ") + doing + " the lock '" + path_.string() +
                    "': " + std::strerror(errno) + "; $ADZE_LOCKS names another folder");
  }
  std::string board_;
  fs::path path_;
  host::OwnedFd fd_;
};

[[noreturn]] void held(const BoardLock& lock) {
  throw RigError(
      ADZE_UNAVAILABLE,
      fmt::format("board '{}' is locked by {} until {}{}; wait, take another board, or ask them "
                  "(`adze board unlock {} --force` takes it away)",
                  lock.board, lock.holder, clock_text(lock.expires_s),
                  lock.reason.empty() ? "" : " (" + lock.reason + ")", lock.board));
}

}  // namespace

std::string lock_holder() {
  if (const char* holder = ::secure_getenv("ADZE_HOLDER"); holder && *holder) return holder;
  std::array<char, 256> machine{};
  ::gethostname(machine.data(), machine.size() - 1);
  const passwd* user = ::getpwuid(::geteuid());
  return fmt::format("{}@{}", user ? std::string(user->pw_name) : std::to_string(::geteuid()),
                     machine.data());
}

fs::path lock_folder() {
  fs::path folder = "/run/lock/adze";
  if (const char* named = ::secure_getenv("ADZE_LOCKS"))
    folder = named;
  else if (!fs::is_directory(folder))
    folder = fs::path(sim_directory()) / "locks";
  fs::create_directories(folder);
  return folder;
}

std::optional<BoardLock> lock_of(const std::string& board) {
  if (!fs::exists(lock_folder() / (board + ".lock"))) return std::nullopt;
  return LockFile(board).read();
}

BoardLock lock_board(const std::string& board, std::int64_t seconds, const std::string& reason) {
  const LockFile file(board);
  if (const auto lock = file.read(); lock && lock->holder != lock_holder()) held(*lock);
  const BoardLock lock{.board = board,
                       .holder = lock_holder(),
                       .reason = reason,
                       .boot_id = this_boot(),
                       .pid = ::getpid(),
                       .since_s = now_s(),
                       .expires_s = now_s() + seconds};
  file.write(json{{"holder", lock.holder},
                  {"reason", lock.reason},
                  {"boot_id", lock.boot_id},
                  {"pid", lock.pid},
                  {"since", lock.since_s},
                  {"expires", lock.expires_s}}
                 .dump() +
             "\n");
  return lock;
}

bool unlock_board(const std::string& board, bool force) {
  const LockFile file(board);
  const auto lock = file.read();
  if (!lock) return false;
  if (!force && lock->holder != lock_holder()) held(*lock);
  file.write("");
  return true;
}

void require_not_locked(const std::string& board) {
  if (const auto lock = lock_of(board); lock && lock->holder != lock_holder()) held(*lock);
}

}  // namespace adze::hil
