// Boards of the guest: gadgets on dummy_hcd, made as a board's administrator makes them.
#pragma once

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "host/base/file.hpp"
#include "tests/integration/process.hpp"

namespace adze::test {

/// Files of the kernel cannot be replaced as others are.
inline void write_kernel_file(const std::filesystem::path& file, const std::string& text) {
  if (!(std::ofstream(file) << text << std::endl))
    throw std::runtime_error("the kernel does not take '" + text + "' for " + file.string());
}

class GuestBoard {
 public:
  /// `number` is that of the simulated controller. The program that serves the function gets
  /// `--config FILE`, or only the folder when it is not the agent.
  GuestBoard(int number, std::string serial, std::filesystem::path program = {})
      : serial_(std::move(serial)),
        name_("board-" + std::to_string(number)),
        controller_("dummy_udc." + std::to_string(number)),
        program_(std::move(program)) {
    std::filesystem::create_directories("/run/boards");
    host::write_file(config_,
                     "# of a test\n"
                     "root /run/boards/" +
                         name_ +
                         ".root\n"
                         "board-id " +
                         name_ +
                         "\n"
                         "board-type rzv2h\n"
                         "usb " +
                         directory() +
                         "\n"
                         "usb-serial " +
                         serial_ +
                         "\n"
                         "usb-controller " +
                         controller_ +
                         "\n"
                         "worker " +
                         (binary_dir() / "bin/adze-worker").string() +
                         "\n"
                         "plugin " +
                         (binary_dir() / "tests/agent_plugins/echo_backend.so").string() +
                         "\n"
                         "component test.echo\n"
                         "lab\n"
                         "simulated\n");
    gadget("start");
    start_agent();
    gadget("bind");
  }
  ~GuestBoard() {
    stop_agent(SIGTERM);
    run("stop");
  }
  GuestBoard(const GuestBoard&) = delete;
  GuestBoard& operator=(const GuestBoard&) = delete;

  const std::string& name() const { return name_; }
  std::string address() const { return "usb:" + serial_; }
  const std::string& serial() const { return serial_; }
  const std::filesystem::path& config() const { return config_; }
  std::string directory() const { return "/dev/ffs-" + name_; }

  Outcome run(const std::string& verb) const {
    return run_program({(source_dir() / "hil/agent/usb/adze-gadget").string(), "--config",
                        config_.string(), verb});
  }
  /// What the script printed. Throws when it failed.
  std::string gadget(const std::string& verb) const {
    const Outcome outcome = run(verb);
    if (outcome.exit_code != 0)
      throw std::runtime_error("adze-gadget " + verb + ": " + outcome.err + outcome.out);
    return outcome.out;
  }
  /// As when the cable is pulled; adze-gadget takes longer to start.
  void unplug() const {
    write_kernel_file("/sys/kernel/config/usb_gadget/ffs-" + name_ + "/UDC", "");
  }
  void plug() const { gadget("bind"); }

  void start_agent() {
    std::vector<std::string> arguments{(binary_dir() / "bin/adze-agent").string(), "--config",
                                       config_.string()};
    if (!program_.empty()) arguments = {program_.string(), directory()};
    std::vector<char*> pointers;
    for (std::string& argument : arguments) pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    agent_ = ::fork();
    if (agent_ != 0) return;
    ::execv(pointers[0], pointers.data());
    ::_exit(127);
  }
  void stop_agent(int signal) {
    if (agent_ <= 0) return;
    ::kill(agent_, signal);
    ::waitpid(agent_, nullptr, 0);
    agent_ = -1;
  }

 private:
  const std::string serial_, name_, controller_;
  const std::filesystem::path program_;
  const std::filesystem::path config_ = "/run/boards/" + name_ + ".conf";
  pid_t agent_ = -1;
};

}  // namespace adze::test
