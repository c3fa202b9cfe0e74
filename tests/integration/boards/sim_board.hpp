// A lab of its own for a test: simulated boards started by the command, an inventory, locks.
#pragma once

#include <fcntl.h>

#include <nlohmann/json.hpp>

#include "tests/integration/process.hpp"
#include "tests/unit/agent/board_fixture.hpp"

namespace adze::hil::test {

/// A program of this test, killed with it.
class Started {
 public:
  Started(std::vector<std::string> arguments, const std::vector<std::string>& environment,
          const std::filesystem::path& log) {
    pid_ = ::fork();
    if (pid_ != 0) return;
    for (const std::string& entry : environment) ::putenv(const_cast<char*>(entry.c_str()));
    const int file = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::dup2(file, 1);
    ::dup2(file, 2);
    std::vector<char*> pointers;
    for (std::string& argument : arguments) pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    ::execv(pointers[0], pointers.data());
    ::_exit(127);
  }
  Started(Started&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
  ~Started() { end(SIGKILL); }
  void end(int signal) {
    if (pid_ <= 0) return;
    ::kill(pid_, signal);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
};

class Lab {
 public:
  Lab() {
    environment = {"XDG_RUNTIME_DIR=" + path().string(),
                   "ADZE_LOCKS=" + (path() / "locks").string(),
                   "ADZE_BOARDS=" + (path() / "boards.toml").string(),
                   "ADZE_TOKEN_FILE=" + (path() / "token").string()};
    inventory("");
  }
  const std::filesystem::path& path() const { return directory_.path(); }
  void inventory(const std::string& text) const { host::write_file(path() / "boards.toml", text); }
  /// "fast" answers for a tenth of the usual time.
  void list_board(const std::string& id, const std::string& more = "") const {
    inventory("[[board]]\nid = \"" + id + "\"\ntype = \"rzv2h\"\nlink = \"sim:" + id + "\"\n" +
              more + "[board.quirks]\ntimeout_multiplier = 0.1\n");
  }
  std::vector<std::string> sim_arguments(const std::string& id,
                                         const std::vector<std::string>& more) const {
    std::vector<std::string> arguments{(adze::test::binary_dir() / "bin/adze").string(),
                                       "--plugin-path",
                                       (adze::test::binary_dir() / "tests/agent_plugins").string(),
                                       "board",
                                       "sim",
                                       id,
                                       "--backend",
                                       "test.echo",
                                       "--root",
                                       (path() / (id + ".root")).string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  /// Waits until it listens.
  Started sim(const std::string& id, const std::vector<std::string>& more = {}) const {
    const auto log = path() / (id + ".log");
    std::filesystem::remove(log);
    Started board(sim_arguments(id, more), environment, log);
    for (int i = 0; i < 1000; ++i) {
      if (std::filesystem::exists(log) &&
          host::read_text_file(log).find("listens at") != std::string::npos)
        return board;
      ::usleep(20'000);
    }
    throw std::runtime_error("the board did not start: " + host::read_text_file(log));
  }
  std::filesystem::path bundle(const std::string& mode = "ok", std::size_t ballast = 0) const {
    const auto file = path() / (mode + std::to_string(ballast) + ".adze");
    host::write_file(file, echo_bundle(mode, ballast));
    return file;
  }
  adze::test::Outcome run(std::vector<std::string> arguments) const {
    return adze::test::adze(std::move(arguments), std::chrono::seconds(120), environment);
  }
  nlohmann::json json(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), "--json");
    const adze::test::Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return nlohmann::json::parse(outcome.out, nullptr, false);
  }
  std::vector<std::string> environment;

 private:
  host::TemporaryDirectory directory_;
};

}  // namespace adze::hil::test
