// `adze` and `adze-agent` as programs, with a USB port between them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "host/base/file.hpp"
#include "tests/integration/process.hpp"
#include "tests/unit/agent/board_fixture.hpp"

namespace adze::hil::test {
namespace {

using adze::test::Outcome;
using testing::HasSubstr;
using testing::Not;

constexpr int kRigFault = 75;
constexpr std::size_t kBallastBytes = 5'000'000;

class UsbProgram : public testing::Test {
 protected:
  UsbProgram() {
    host::write_file(old_bundle_, echo_bundle("ok"));
    host::write_file(new_bundle_, echo_bundle("ok", kBallastBytes));
  }
  /// `adze board ...` on a machine whose only USB device is the board.
  Outcome adze_board(const std::vector<std::string>& arguments,
                     const std::vector<std::string>& faults = {},
                     const std::vector<std::string>& environment = {}) {
    std::vector<std::string> all = {(binary_dir() / "tests/usb_serve").string(), "--agent-socket",
                                    socket_.string()};
    all.insert(all.end(), faults.begin(), faults.end());
    all.insert(all.end(), {"--", (binary_dir() / "bin/adze").string(), "--json", "board"});
    all.insert(all.end(), arguments.begin(), arguments.end());
    return adze::test::run_program(all, std::chrono::seconds(280), environment);
  }

  host::TemporaryDirectory directory_;
  const std::filesystem::path socket_ = directory_.path() / "agent.sock";
  const std::filesystem::path old_bundle_ = directory_.path() / "old.adze";
  const std::filesystem::path new_bundle_ = directory_.path() / "new.adze";
  ProgramBoard agent_{directory_.path() / "root", socket_};
};

TEST_F(UsbProgram, lists_and_flashes_a_board) {
  const Outcome listed = adze_board({"list"});
  EXPECT_EQ(listed.exit_code, 0) << listed.err;
  EXPECT_THAT(listed.out, HasSubstr("\"usb:LAB0001\""));
  const Outcome flashed = adze_board({"flash", "usb:LAB0001", new_bundle_.string()});
  EXPECT_EQ(flashed.exit_code, 0) << flashed.err;
  EXPECT_THAT(flashed.out, HasSubstr(id_of(host::read_file(new_bundle_))));
}

TEST_F(UsbProgram, an_unplug_while_flashing_exits_75_and_keeps_the_active_bundle) {
  const std::string old_id = id_of(host::read_file(old_bundle_));
  const std::string new_id = id_of(host::read_file(new_bundle_));
  ASSERT_EQ(adze_board({"flash", "usb:LAB0001", old_bundle_.string()}).exit_code, 0);
  for (const std::string how : {"no_device", "error", "at_submit"}) {
    const Outcome flashed = adze_board({"flash", "usb:LAB0001", new_bundle_.string()},
                                       {"--unplug-after-bytes", "1000000", "--unplug-how", how});
    EXPECT_EQ(flashed.exit_code, kRigFault) << how << ": " << flashed.err;
    EXPECT_THAT(flashed.err, HasSubstr("board usb:LAB0001 is gone"));
    EXPECT_THAT(flashed.err, HasSubstr("the board got 1000000 bytes"));
    const Outcome info = adze_board({"info", "usb:LAB0001"});
    EXPECT_EQ(info.exit_code, 0) << info.err;
    EXPECT_THAT(info.out, HasSubstr(old_id)) << how;
    EXPECT_THAT(info.out, Not(HasSubstr(new_id))) << how;
  }
  const Outcome flashed = adze_board({"flash", "usb:LAB0001", new_bundle_.string()});
  EXPECT_EQ(flashed.exit_code, 0) << flashed.err;
  EXPECT_THAT(adze_board({"info", "usb:LAB0001"}).out, HasSubstr(new_id));
}

TEST_F(UsbProgram, a_stall_is_got_over_and_said_a_silent_board_exits_75) {
  const Outcome stalled = adze_board({"flash", "usb:LAB0001", new_bundle_.string()},
                                     {"--stall-after-bytes", "1000000"});
  EXPECT_EQ(stalled.exit_code, 0) << stalled.err;
  EXPECT_THAT(stalled.out, HasSubstr("stalled endpoint"));
  // Listed with a tenth of the usual patience.
  const std::filesystem::path inventory = directory_.path() / "boards.toml";
  host::write_file(inventory,
                   "[[board]]\nid = \"quiet\"\ntype = \"rzv2h\"\nlink = \"usb:LAB0001\"\n"
                   "agent_id = \"sim-01\"\n[board.quirks]\ntimeout_multiplier = 0.1\n");
  const Outcome silent =
      adze_board({"info", "quiet"}, {"--silent"}, {"ADZE_BOARDS=" + inventory.string()});
  EXPECT_EQ(silent.exit_code, kRigFault) << silent.err;
  EXPECT_THAT(silent.err, HasSubstr("did not answer in time"));
}

TEST_F(UsbProgram, a_board_that_is_not_there_exits_75_and_names_those_that_are) {
  const Outcome outcome = adze_board({"info", "usb:LAB0002"});
  EXPECT_EQ(outcome.exit_code, kRigFault) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("usb:LAB0001 at 1-1"));
}

}  // namespace
}  // namespace adze::hil::test
