// The USB link in a program of its own, as `adze` uses it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "hil/link/socket_link.hpp"
#include "host/base/error.hpp"
#include "tests/integration/process.hpp"

namespace adze::test {
namespace {

using testing::HasSubstr;

constexpr int kRigFault = 75;

/// Sends back what it gets, to each who connects.
class EchoListener {
 public:
  explicit EchoListener(const std::filesystem::path& path) : listener_(path) {
    acceptor_ = std::thread([this] { run(); });
  }
  ~EchoListener() {
    stop_ = true;
    acceptor_.join();
    for (auto& session : sessions_) session.join();
  }
  const std::filesystem::path& path() const { return listener_.path(); }

 private:
  void run() {
    while (!stop_) {
      if (auto link = listener_.accept(host::after_ms(20))) {
        sessions_.emplace_back([link = std::move(link)] { serve(*link); });
      }
    }
  }
  static void serve(hil::Link& link) {
    const auto deadline = host::after_ms(600'000);
    std::vector<std::byte> bytes(256 * 1024);
    try {
      for (;;) {
        const std::size_t count = link.read(bytes, deadline);
        link.write(std::span(bytes).first(count), deadline);
      }
    } catch (const host::RigError&) {
      // The board ended the session.
    }
  }

  hil::UnixListener listener_;
  std::atomic<bool> stop_ = false;
  std::vector<std::thread> sessions_;
  std::thread acceptor_;
};

class UsbProcess : public testing::Test {
 protected:
  UsbProcess() : folder_("/tmp/adze-usb-XXXXXX") {
    if (!mkdtemp(folder_.data())) throw std::runtime_error("mkdtemp");
    agent_ = std::make_unique<EchoListener>(std::filesystem::path(folder_) / "agent.sock");
  }
  ~UsbProcess() override {
    agent_.reset();
    std::filesystem::remove_all(folder_);
  }
  static std::string client() { return (binary_dir() / "tests/usb_echo_client").string(); }
  Outcome serve(const std::vector<std::string>& faults, const std::vector<std::string>& program) {
    std::vector<std::string> arguments = {(binary_dir() / "tests/usb_serve").string(),
                                          "--agent-socket", agent_->path().string()};
    arguments.insert(arguments.end(), faults.begin(), faults.end());
    arguments.push_back("--");
    arguments.insert(arguments.end(), program.begin(), program.end());
    return run_program(arguments, std::chrono::seconds(280));
  }

  std::string folder_;
  std::unique_ptr<EchoListener> agent_;
};

TEST_F(UsbProcess, moves_megabytes_both_ways_unchanged) {
  const Outcome outcome = serve({}, {client(), "LAB0001", "4000000"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("the board got 4000000 bytes and is plugged"));
}

TEST_F(UsbProcess, an_unplug_is_a_rig_fault) {
  for (const std::string how : {"no_device", "error", "at_submit"}) {
    const Outcome outcome = serve({"--unplug-after-bytes", "1000000", "--unplug-how", how},
                                  {client(), "LAB0001", "4000000"});
    EXPECT_EQ(outcome.exit_code, kRigFault) << how << ": " << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("board usb:LAB0001 is gone"));
    EXPECT_THAT(outcome.err, HasSubstr("the board got 1000000 bytes"));
  }
}

TEST_F(UsbProcess, a_stall_is_a_rig_fault) {
  const Outcome outcome =
      serve({"--stall-after-bytes", "1000000"}, {client(), "LAB0001", "4000000"});
  EXPECT_EQ(outcome.exit_code, kRigFault) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("stalled endpoint"));
}

TEST_F(UsbProcess, a_silent_board_is_a_rig_fault_when_the_time_is_up) {
  const Outcome outcome = serve({"--silent"}, {client(), "LAB0001", "1000", "1500"});
  EXPECT_EQ(outcome.exit_code, kRigFault) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("sent nothing before the time was up"));
}

TEST_F(UsbProcess, a_program_killed_while_sending_leaves_a_board_that_works) {
  const Outcome outcome = serve({}, {"sh", "-c",
                                     client() + " LAB0001 6000000 120000 die; test $? = 137 && " +
                                         client() + " LAB0001 1000000"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
}

}  // namespace
}  // namespace adze::test
