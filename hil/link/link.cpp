#include "hil/link/link.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "hil/link/socket_link.hpp"
#include "hil/link/ssh_link.hpp"
#include "hil/link/tcp_link.hpp"
#include "hil/link/token.hpp"
#ifdef ADZE_LINK_USB
#include "hil/link/usb/usb_link.hpp"
#endif
#include "host/base/error.hpp"

namespace adze::hil {
namespace {

namespace fs = std::filesystem;
using host::Error;
using host::RigError;

constexpr std::int64_t kProbeMs = 500;

fs::path sim_socket(const std::string& id) { return fs::path(sim_directory()) / (id + ".sock"); }

/// An id becomes a file name.
void check_id(const std::string& id) {
  if (id.empty() || id.find('/') != std::string::npos || id.front() == '.')
    throw Error(ADZE_INVALID_ARGUMENT, "'" + id + "' is no id of a board");
}

#ifndef ADZE_LINK_USB
std::unique_ptr<Link> open_usb(const std::string& name, Deadline) {
  throw RigError(ADZE_UNAVAILABLE, "cannot reach usb:" + name + ": built without USB");
}
std::vector<FoundBoard> find_usb_boards() { return {}; }
#endif

std::string list_of(const std::vector<FoundBoard>& boards) {
  std::string text;
  for (const FoundBoard& board : boards) text += (text.empty() ? "" : ", ") + board.address;
  return text.empty() ? "no board is there now" : "boards that are there now: " + text;
}

std::vector<FoundBoard> find_sim_boards() {
  std::vector<FoundBoard> boards;
  for (const auto& entry : fs::directory_iterator(sim_directory())) {
    if (entry.path().extension() != ".sock") continue;
    const std::string id = entry.path().stem().string();
    try {
      connect_unix(entry.path(), id, host::after_ms(kProbeMs));
    } catch (const RigError&) {
      continue;  // left behind by an agent that died
    }
    boards.push_back(
        {.address = "sim:" + id, .link = "unix", .serial = "", .location = entry.path().string()});
  }
  return boards;
}

/// `board` by its bare id: simulated boards first, since opening their sockets disturbs nobody.
std::unique_ptr<Link> open_by_id(const std::string& id, Deadline deadline) {
  check_id(id);
  if (fs::exists(sim_socket(id))) return connect_unix(sim_socket(id), "sim:" + id, deadline);
  const std::vector<FoundBoard> boards = find_boards();
  const auto is_it = [&](const FoundBoard& b) { return b.serial == id || b.location == id; };
  if (std::none_of(boards.begin(), boards.end(), is_it))
    throw RigError(ADZE_UNAVAILABLE, "cannot find the board '" + id + "' on any link; " +
                                         list_of(boards) +
                                         "; check its cable and power, or start a simulated one "
                                         "with `adze board sim " +
                                         id + "`");
  return open_usb(id, deadline);
}

}  // namespace

std::unique_ptr<Link> open_link(const std::string& address, Deadline deadline) {
  const std::size_t colon = address.find(':');
  if (colon == std::string::npos) return open_by_id(address, deadline);
  const std::string scheme = address.substr(0, colon), rest = address.substr(colon + 1);
  if (scheme == "usb") return open_usb(rest, deadline);
  if (scheme == "ssh") return open_ssh(rest);
  if (scheme == "tcp") {
    require_loopback(rest);
    return connect_tcp(rest, load_token(token_file()), deadline);
  }
  if (scheme == "unix") return connect_unix(rest, address, deadline);
  if (scheme == "sim") {
    check_id(rest);
    return connect_unix(sim_socket(rest), address, deadline);
  }
  throw Error(ADZE_INVALID_ARGUMENT,
              "cannot open '" + address + "': '" + scheme +
                  "' is no link; use usb:SERIAL, usb:PORTPATH, ssh:USER@HOST, "
                  "tcp:127.0.0.1:PORT, unix:PATH, "
                  "sim:ID or a bare id");
}

std::vector<FoundBoard> find_boards() {
  std::vector<FoundBoard> boards = find_sim_boards();
  std::vector<FoundBoard> usb = find_usb_boards();
  std::move(usb.begin(), usb.end(), std::back_inserter(boards));
  std::sort(boards.begin(), boards.end(),
            [](const FoundBoard& a, const FoundBoard& b) { return a.address < b.address; });
  return boards;
}

std::string sim_directory() {
  const char* runtime = ::secure_getenv("XDG_RUNTIME_DIR");
  const std::string path = runtime && *runtime == '/' ? std::string(runtime) + "/adze"
                                                      : "/tmp/adze-" + std::to_string(::geteuid());
  if (::mkdir(path.c_str(), 0700) && errno != EEXIST)
    throw Error(ADZE_FAILED_PRECONDITION, "cannot make the folder of simulated boards '" + path +
                                              "': " + std::strerror(errno));
  struct stat found {};
  if (::lstat(path.c_str(), &found) || !S_ISDIR(found.st_mode) || found.st_uid != ::geteuid() ||
      (found.st_mode & 0077))
    throw Error(ADZE_PERMISSION_DENIED,
                "the folder of simulated boards '" + path +
                    "' is not a folder of yours with mode 0700: somebody else could pose as a "
                    "board; remove it or set XDG_RUNTIME_DIR");
  return path;
}

}  // namespace adze::hil
