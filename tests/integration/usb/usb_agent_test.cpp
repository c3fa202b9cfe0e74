// The agent behind a USB port: find the board, flash it, run on it, and unplug it meanwhile.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "hil/agent/agent.hpp"
#include "hil/link/socket_link.hpp"
#include "hil/session/board_runner.hpp"
#include "hil/session/session.hpp"
#include "host/base/file.hpp"
#include "tests/integration/usb/mock_usb_board.hpp"
#include "tests/unit/agent/board_fixture.hpp"

namespace adze::hil::test {
namespace {

using adze::test::BoardOptions;
using adze::test::MockUsbBoard;
using adze::test::TestBed;
using adze::test::Unplug;
using testing::HasSubstr;

constexpr std::size_t kBallastBytes = 5'000'000;
constexpr const char* kAddress = "usb:LAB0001";

/// Longer than a machine under load takes, where the test is not about time.
SessionTimeouts patient() { return {.hello_ms = 60'000, .quick_ms = 60'000, .silence_ms = 60'000}; }

class UsbBoard : public testing::Test {
 protected:
  UsbBoard() {
    BoardOptions options;
    options.connect_agent = [this] { return connect(); };
    board_ = std::make_unique<MockUsbBoard>(bed_, std::move(options));
    board_->plug();
  }
  ~UsbBoard() override {
    stop_ = true;
    board_.reset();
    for (auto& thread : threads_) thread.join();
  }
  static BoardSession open(const SessionTimeouts& timeouts = patient()) {
    return BoardSession::open(kAddress, timeouts);
  }

  host::TemporaryDirectory directory_;
  TestBed bed_;
  std::unique_ptr<MockUsbBoard> board_;

 private:
  int connect() {
    std::array<int, 2> ends{};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) return -1;
    threads_.emplace_back([this, end = ends[1]] {
      SocketLink link(OwnedFd(end), "gadget");
      agent_.serve(link, stop_);
    });
    return ends[0];
  }

  Agent agent_{agent_options(directory_.path() / "root")};
  std::atomic<bool> stop_ = false;
  std::vector<std::thread> threads_;
};

TEST_F(UsbBoard, is_found_by_its_serial_flashed_and_runs_samples) {
  const auto found = find_boards();
  ASSERT_TRUE(
      std::ranges::any_of(found, [](const FoundBoard& b) { return b.address == kAddress; }));
  BoardSession session = open();
  EXPECT_EQ(session.board().board, "sim-01");
  EXPECT_TRUE(session.board().simulated);
  const auto bundle = echo_bundle("ok", kBallastBytes);
  const FlashResult flashed = flash(session, bundle);
  EXPECT_FALSE(flashed.skipped);
  EXPECT_EQ(flashed.sent_bytes, bundle.size());
  session.activate(flashed.bundle);
  BoardRunner runner(session, "echo.onnx");
  const host::Tensor input = samples({2, 3, 4, 5, 6, 7});
  const auto outputs = runner.run(std::span(&input, 1));
  ASSERT_EQ(outputs.size(), 1U);
  EXPECT_THAT(outputs[0].tensor.as<float>(), testing::ElementsAre(4, 6, 8, 10, 12, 14));
  EXPECT_EQ(runner.measurement().statistics.n, 3U);
}

TEST_F(UsbBoard, is_free_for_the_next_session_at_once) {
  const auto bundle = echo_bundle("ok");
  { install(*std::make_unique<BoardSession>(open()), bundle); }
  for (int i = 0; i < 5; ++i) {
    BoardSession session = open();
    EXPECT_TRUE(flash(session, bundle).skipped);
  }
}

TEST_F(UsbBoard, is_refused_while_another_session_holds_it) {
  BoardSession session = open();
  const Failure failure = failure_of([] { open(); });
  EXPECT_EQ(failure.exit, host::Exit::rig);
  EXPECT_THAT(failure.text, HasSubstr("in use by another program"));
  EXPECT_EQ(session.info().board, "sim-01");
}

TEST_F(UsbBoard, a_stall_while_flashing_is_a_rig_fault_and_the_next_session_resumes) {
  const auto bundle = echo_bundle("ok", kBallastBytes);
  {
    BoardSession session = open();
    board_->stall_out_after(2'000'000);
    const Failure failure = failure_of([&] { flash(session, bundle); });
    EXPECT_EQ(failure.exit, host::Exit::rig);
    EXPECT_THAT(failure.text, HasSubstr("stalled endpoint"));
  }
  BoardSession session = open();
  const FlashResult flashed = flash(session, bundle);
  EXPECT_LT(flashed.sent_bytes, bundle.size());
  EXPECT_EQ(session.activate(flashed.bundle).active, id_of(bundle));
}

TEST_F(UsbBoard, that_falls_silent_is_given_up_in_time) {
  SessionTimeouts timeouts = patient();
  timeouts.quick_ms = 300;
  timeouts.silence_ms = 300;
  BoardSession session = open(timeouts);
  board_->mute_in(true);
  const auto start = std::chrono::steady_clock::now();
  const Failure failure = failure_of([&] { session.info(); });
  EXPECT_EQ(failure.exit, host::Exit::rig);
  EXPECT_EQ(failure.code, ADZE_DEADLINE_EXCEEDED);
  EXPECT_THAT(failure.text, HasSubstr("did not answer in time"));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

class UsbBoardUnplug : public UsbBoard, public testing::WithParamInterface<Unplug> {};

TEST_P(UsbBoardUnplug, while_flashing_keeps_the_active_bundle_and_the_flash_resumes) {
  const auto old_bundle = echo_bundle("ok");
  const auto new_bundle = echo_bundle("ok", kBallastBytes);
  {
    BoardSession session = open();
    install(session, old_bundle);
    board_->unplug_out_after(2'500'000, GetParam());
    const Failure failure = failure_of([&] { flash(session, new_bundle); });
    EXPECT_EQ(failure.exit, host::Exit::rig);
    EXPECT_EQ(failure.code, ADZE_UNAVAILABLE);
    EXPECT_THAT(failure.text, HasSubstr("board usb:LAB0001 is gone"));
  }
  EXPECT_FALSE(board_->plugged());
  board_->plug();
  BoardSession session = open();
  EXPECT_EQ(session.info().active, id_of(old_bundle));
  const LoadReply loaded = session.load();
  const host::Tensor input = samples({2, 3});
  const RunResult result = session.run(loaded.inputs, std::span(&input, 1));
  EXPECT_THAT(result.outputs.at(0).tensor.as<float>(), testing::ElementsAre(4, 6));

  const FlashResult flashed = flash(session, new_bundle);
  EXPECT_LT(flashed.sent_bytes, new_bundle.size()) << "did not resume";
  const ActivateReply active = session.activate(flashed.bundle);
  EXPECT_EQ(active.active, id_of(new_bundle));
  EXPECT_EQ(active.previous, id_of(old_bundle));
}

INSTANTIATE_TEST_SUITE_P(form, UsbBoardUnplug,
                         testing::Values(Unplug::no_device, Unplug::error, Unplug::at_submit),
                         testing::PrintToStringParamName());

}  // namespace
}  // namespace adze::hil::test
