// Boards for tests: the agent in this process over a socket pair, or the program on a socket.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <thread>

#include "hil/agent/agent.hpp"
#include "hil/link/socket_link.hpp"
#include "hil/session/session.hpp"
#include "host/base/error.hpp"
#include "host/base/file.hpp"

namespace adze::hil::test {

inline std::filesystem::path binary_dir() {
  const char* path = std::getenv("ADZE_BINARY_DIR");
  return path ? path : std::filesystem::current_path();
}

inline std::vector<std::byte> bytes_of(const std::string& text) {
  const auto view = std::as_bytes(std::span(text));
  return {view.begin(), view.end()};
}

inline std::vector<std::byte> bytes_of(const std::vector<float>& values) {
  const auto view = std::as_bytes(std::span(values));
  return {view.begin(), view.end()};
}

/// A bundle for the echo backend; `ballast` makes it larger.
inline std::vector<std::byte> echo_bundle(const std::string& mode, std::size_t ballast = 0,
                                          const std::string& board_type = "rzv2h",
                                          double predicted_ms = 0) {
  const TensorSpec in{.name = "x", .dtype = host::DType::f32, .shape = {1, 2}, .batch_axis = 0};
  const TensorSpec out{.name = "y", .dtype = in.dtype, .shape = in.shape, .batch_axis = 0};
  std::vector<std::byte> weights(ballast);
  for (std::size_t i = 0; i < ballast; ++i) weights[i] = std::byte(i * 13 & 255);
  return make_bundle({.board_type = board_type,
                      .backend = "test.echo",
                      .model = "echo-" + mode,
                      .predicted_ms = predicted_ms,
                      .inputs = {in},
                      .outputs = {out},
                      .nodes = {"only"},
                      .smoke_inputs = {{.spec = in, .path = "smoke/in"}},
                      .smoke_outputs = {{.spec = out, .path = "smoke/out"}}},
                     {{"artifacts/mode", bytes_of(mode)},
                      {"artifacts/weights", weights},
                      {"smoke/in", bytes_of(std::vector<float>{1, 3})},
                      {"smoke/out", bytes_of(std::vector<float>{2, 6})}});
}

inline std::string id_of(const std::vector<std::byte>& bundle) {
  const auto source = memory_source(bundle);
  return Bundle(*source).id();
}

inline AgentOptions agent_options(const std::filesystem::path& root) {
  return {.root = root,
          .board = "sim-01",
          .board_type = "rzv2h",
          .version = "test",
          .worker = {.program = binary_dir() / "bin" / "adze-worker",
                     .plugin = binary_dir() / "tests" / "agent_plugins" / "echo_backend.so",
                     .component = "test.echo"},
          .lab = true,
          .simulated = true};
}

/// The agent in this process; each connect() is one more client.
class LocalBoard {
 public:
  explicit LocalBoard(AgentOptions options) : agent_(std::move(options)) {}
  LocalBoard() : LocalBoard(agent_options({})) {}
  ~LocalBoard() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
  }
  std::unique_ptr<Link> connect() {
    auto [ours, theirs] = make_socket_pair("local");
    threads_.emplace_back([this, link = std::move(theirs)] { agent_.serve(*link, stop_); });
    return std::move(ours);
  }
  Agent& agent() { return agent_; }

 private:
  Agent agent_;
  std::atomic<bool> stop_ = false;
  std::vector<std::thread> threads_;
};

/// The agent as a program on a socket.
class ProgramBoard {
 public:
  ProgramBoard(const std::filesystem::path& root, const std::filesystem::path& socket)
      : socket_(socket) {
    const AgentOptions options = agent_options(root);
    std::vector<std::string> arguments{(binary_dir() / "bin" / "adze-agent").string(),
                                       "--listen",
                                       "unix:" + socket.string(),
                                       "--root",
                                       root.string(),
                                       "--board-id",
                                       options.board,
                                       "--board-type",
                                       options.board_type,
                                       "--worker",
                                       options.worker.program.string(),
                                       "--plugin",
                                       options.worker.plugin.string(),
                                       "--component",
                                       options.worker.component,
                                       "--lab",
                                       "--simulated"};
    std::vector<char*> pointers;
    for (std::string& argument : arguments) pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::execv(pointers[0], pointers.data());
      ::_exit(127);
    }
  }
  ~ProgramBoard() { end(SIGTERM); }
  void end(int signal) {
    if (pid_ <= 0) return;
    ::kill(pid_, signal);
    ::waitpid(pid_, &status_, 0);
    pid_ = -1;
  }
  /// Waits for the program to listen.
  std::unique_ptr<Link> connect() {
    for (int i = 0;; ++i) {
      try {
        return connect_unix(socket_, "program", host::after_ms(5000));
      } catch (const host::RigError&) {
        if (i == 500 || pid_ <= 0) throw;
        ::usleep(10'000);
      }
    }
  }
  int status() const { return status_; }

 private:
  std::filesystem::path socket_;
  pid_t pid_ = -1;
  int status_ = 0;
};

struct Failure {
  adze_status code = ADZE_OK;
  host::Exit exit = host::Exit::ok;
  std::string text;
};

template <class Body>
Failure failure_of(Body&& body) {
  try {
    body();
  } catch (const host::Error& error) {
    return {error.code, error.exit(), error.what()};
  }
  return {};
}

inline FlashResult flash(BoardSession& session, const std::vector<std::byte>& bundle) {
  return session.flash(*memory_source(bundle));
}

/// Flashes, activates and loads.
inline LoadReply install(BoardSession& session, const std::vector<std::byte>& bundle) {
  session.activate(flash(session, bundle).bundle);
  return session.load();
}

inline host::Tensor samples(const std::vector<float>& values) {
  return {host::DType::f32,
          {static_cast<std::int64_t>(values.size() / 2), 2},
          std::span<const float>(values)};
}

}  // namespace adze::hil::test
