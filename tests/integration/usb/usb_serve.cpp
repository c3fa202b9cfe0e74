// Runs a program on a machine with one simulated USB board:
//
//   usb_serve --agent-socket PATH [--serial LAB0001] [--port 1-1] [FAULT...] [--timeout-s 300]
//             -- PROGRAM ARGUMENT...
//
// The board's USB side passes all to the agent that listens on PATH. Faults: --unplug-after-bytes N
// with --unplug-how no_device|error|at_submit, --stall-after-bytes N (both count what the host
// sends),
// --silent (the board sends nothing). Exit code: that of the program; 124 when it was killed after
// the time; 125 when this program failed.
#include <dlfcn.h>
#include <fmt/core.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/integration/usb/mock_usb_board.hpp"
#include "tests/integration/usb/test_bed.hpp"

namespace adze::test {
namespace {

constexpr int kKilled = 124;
constexpr int kFailed = 125;
constexpr std::chrono::seconds kAgentStart{60};

struct Settings {
  BoardOptions board;
  std::string agent_socket;
  std::optional<std::size_t> unplug_after_bytes, stall_after_bytes;
  Unplug unplug_how = Unplug::no_device;
  bool silent = false;
  std::chrono::seconds timeout{300};
  std::vector<char*> program;  // ends with a null pointer
};

Unplug parse_unplug(const std::string& how) {
  if (how == "no_device") return Unplug::no_device;
  if (how == "error") return Unplug::error;
  if (how == "at_submit") return Unplug::at_submit;
  throw std::runtime_error("no way to unplug is called '" + how + "'");
}

Settings parse(int count, char** arguments) {
  Settings settings;
  int i = 1;
  const auto value = [&] {
    if (++i >= count) throw std::runtime_error(std::string(arguments[i - 1]) + " needs a value");
    return std::string(arguments[i]);
  };
  for (; i < count && std::strcmp(arguments[i], "--") != 0; ++i) {
    const std::string option = arguments[i];
    if (option == "--agent-socket")
      settings.agent_socket = value();
    else if (option == "--serial")
      settings.board.serial = value();
    else if (option == "--port")
      settings.board.port = value();
    else if (option == "--unplug-after-bytes")
      settings.unplug_after_bytes = std::stoull(value());
    else if (option == "--unplug-how")
      settings.unplug_how = parse_unplug(value());
    else if (option == "--stall-after-bytes")
      settings.stall_after_bytes = std::stoull(value());
    else if (option == "--silent")
      settings.silent = true;
    else if (option == "--timeout-s")
      settings.timeout = std::chrono::seconds(std::stoul(value()));
    else
      throw std::runtime_error("no option is called '" + option + "'");
  }
  for (++i; i < count; ++i) settings.program.push_back(arguments[i]);
  if (settings.program.empty() || settings.agent_socket.empty()) {
    throw std::runtime_error("usage: usb_serve --agent-socket PATH [...] -- PROGRAM ...");
  }
  settings.program.push_back(nullptr);
  return settings;
}

/// Waits for an agent that is just being started; -1: there is none.
int connect_agent(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) throw std::runtime_error("too long: " + path);
  std::memcpy(address.sun_path, path.data(), path.size());
  const auto give_up = std::chrono::steady_clock::now() + kAgentStart;
  do {
    const int file = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(file, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
      return file;
    close(file);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  } while (std::chrono::steady_clock::now() < give_up);
  fmt::print(stderr, "usb_serve: no agent listens on {}\n", path);
  return -1;
}

/// umockdev's library goes before all others but the address sanitizer's.
std::string preload() {
  Dl_info sanitizer{};
  void* function = dlsym(RTLD_DEFAULT, "__asan_init");
  const bool sanitized = function && dladdr(function, &sanitizer) && sanitizer.dli_fname;
  return fmt::format("LD_PRELOAD={} libumockdev-preload.so.0",
                     sanitized ? sanitizer.dli_fname : "");
}

pid_t start(const std::vector<char*>& program) {
  std::string preload_variable = preload();
  std::vector<char*> variables = {preload_variable.data()};
  for (char** variable = environ; *variable; ++variable) {
    if (std::strncmp(*variable, "LD_PRELOAD=", 11) != 0) variables.push_back(*variable);
  }
  variables.push_back(nullptr);
  pid_t child = -1;
  const int error =
      posix_spawnp(&child, program[0], nullptr, nullptr, program.data(), variables.data());
  if (error != 0) {
    throw std::runtime_error(fmt::format("cannot start {}: {}", program[0], std::strerror(error)));
  }
  return child;
}

int wait_for(pid_t child, std::chrono::seconds timeout) {
  const auto give_up = std::chrono::steady_clock::now() + timeout;
  int status = 0;
  while (waitpid(child, &status, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() > give_up) {
      kill(child, SIGKILL);
      waitpid(child, &status, 0);
      return kKilled;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int serve(Settings settings) {
  TestBed bed;
  settings.board.connect_agent = [&] { return connect_agent(settings.agent_socket); };
  MockUsbBoard board(bed, settings.board);
  if (settings.unplug_after_bytes) {
    board.unplug_out_after(*settings.unplug_after_bytes, settings.unplug_how);
  }
  if (settings.stall_after_bytes) board.stall_out_after(*settings.stall_after_bytes);
  board.mute_in(settings.silent);
  board.plug();
  const int code = wait_for(start(settings.program), settings.timeout);
  // Tests look here whether the fault came before the program ended.
  fmt::print(stderr, "usb_serve: the board got {} bytes and is {}\n", board.bytes_out(),
             board.plugged() ? "plugged" : "unplugged");
  return code;
}

}  // namespace
}  // namespace adze::test

int main(int count, char** arguments) {
  try {
    return adze::test::serve(adze::test::parse(count, arguments));
  } catch (const std::exception& error) {
    fmt::print(stderr, "usb_serve: {}\n", error.what());
    return adze::test::kFailed;
  }
}
