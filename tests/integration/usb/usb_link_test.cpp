// The USB link over unmodified libusb, with boards whose agent sends back what it gets.
#include "hil/link/usb/usb_link.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "host/base/error.hpp"
#include "tests/integration/usb/echo_agent.hpp"
#include "tests/integration/usb/mock_usb_board.hpp"

namespace adze::hil {
namespace {

using host::after_ms;
using host::RigError;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using test::BoardOptions;
using test::EchoAgent;
using test::MockUsbBoard;
using test::TestBed;
using test::Unplug;
using testing::AllOf;
using testing::HasSubstr;

/// For what must happen, on a machine under load.
constexpr std::int64_t kLongMs = 60'000;

std::vector<std::byte> random_bytes(std::size_t count) {
  std::vector<std::byte> bytes(count);
  std::mt19937 random(7);
  for (auto& byte : bytes) byte = static_cast<std::byte>(random() & 0xff);
  return bytes;
}

std::vector<std::byte> read_exactly(Link& link, std::size_t count) {
  std::vector<std::byte> bytes(count);
  const auto deadline = after_ms(kLongMs);
  for (std::size_t done = 0; done < count;) {
    done += link.read(std::span(bytes).subspan(done), deadline);
  }
  return bytes;
}

/// Writes in a thread of its own, because the board sends while it receives.
std::vector<std::byte> echo(Link& link, const std::vector<std::byte>& bytes) {
  std::thread writer([&] { link.write(bytes, after_ms(kLongMs)); });
  auto back = read_exactly(link, bytes.size());
  writer.join();
  return back;
}

template <typename Action>
void expect_error(adze_status code, const testing::Matcher<std::string>& text, Action action) {
  try {
    action();
    ADD_FAILURE() << "no error";
  } catch (const RigError& error) {
    EXPECT_EQ(error.code, code) << error.what();
    EXPECT_THAT(error.what(), text);
    EXPECT_EQ(error.exit(), host::Exit::rig);
  }
}

class UsbLink : public testing::Test {
 protected:
  MockUsbBoard& plug(BoardOptions options = {}) {
    options.connect_agent = [this] { return agent_.connect(); };
    options.number = 2 + static_cast<int>(boards_.size());
    boards_.push_back(std::make_unique<MockUsbBoard>(bed_, std::move(options)));
    boards_.back()->plug();
    return *boards_.back();
  }
  static std::unique_ptr<Link> open(const std::string& name = "LAB0001") {
    return open_usb(name, after_ms(kLongMs));
  }

  EchoAgent agent_;
  TestBed bed_;
  std::vector<std::unique_ptr<MockUsbBoard>> boards_;
};

TEST_F(UsbLink, finds_nothing_where_no_board_is) {
  EXPECT_TRUE(find_usb_boards().empty());
  expect_error(ADZE_UNAVAILABLE, HasSubstr("no board usb:LAB0001 is there; boards on USB: none"),
               [] { open(); });
}

TEST_F(UsbLink, finds_two_boards_with_the_same_vendor_and_product_by_serial_and_port) {
  plug({.port = "1-2", .serial = "LAB0002"});
  plug({.port = "1-1", .serial = "LAB0001"});
  const auto found = find_usb_boards();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].address, "usb:LAB0001");
  EXPECT_EQ(found[0].location, "1-1");
  EXPECT_EQ(found[0].link, "usb");
  EXPECT_EQ(found[1].address, "usb:LAB0002");
  EXPECT_EQ(found[1].serial, "LAB0002");
  EXPECT_EQ(open("LAB0002")->name(), "usb:LAB0002");
  EXPECT_EQ(boards_[0]->opened(), 1);
  EXPECT_EQ(boards_[1]->opened(), 0) << "the other board was opened";
  EXPECT_EQ(open("1-1")->name(), "usb:LAB0001");
  EXPECT_EQ(boards_[1]->opened(), 1);
  expect_error(ADZE_UNAVAILABLE, AllOf(HasSubstr("LAB0001 at 1-1"), HasSubstr("LAB0002 at 1-2")),
               [] { open("LAB0003"); });
}

TEST_F(UsbLink, never_opens_devices_of_others) {
  MockUsbBoard& other = plug({.port = "1-3", .serial = "PHONE", .foreign = true});
  MockUsbBoard& namesake =
      plug({.port = "1-4", .serial = "OTHER", .interface_name = "other vendor"});
  plug();
  ASSERT_EQ(find_usb_boards().size(), 1U);
  open();
  expect_error(ADZE_UNAVAILABLE, HasSubstr("no board usb:PHONE"), [] { open("PHONE"); });
  EXPECT_EQ(other.opened(), 0);
  EXPECT_EQ(namesake.opened(), 0);
}

TEST_F(UsbLink, asks_the_board_for_strings_the_kernel_does_not_have) {
  plug({.kernel_strings = false});
  plug({.port = "1-2", .serial = "OTHER", .interface_name = "other", .kernel_strings = false});
  const auto found = find_usb_boards();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].address, "usb:LAB0001");
  EXPECT_EQ(open()->name(), "usb:LAB0001");
}

TEST_F(UsbLink, reaches_a_board_without_serial_number_behind_a_hub_by_its_port_path) {
  bed_.add_hub("1-2", 90);
  plug({.port = "1-2.3", .serial = ""});
  const auto found = find_usb_boards();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].address, "usb:1-2.3");
  EXPECT_EQ(found[0].serial, "");
  EXPECT_EQ(open("1-2.3")->name(), "usb:1-2.3");
}

TEST_F(UsbLink, refuses_a_serial_number_that_two_boards_have) {
  plug({.port = "1-1"});
  plug({.port = "1-2"});
  const auto found = find_usb_boards();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].address, "usb:1-1");
  EXPECT_EQ(found[1].address, "usb:1-2");
  expect_error(ADZE_FAILED_PRECONDITION, AllOf(HasSubstr("2 boards"), HasSubstr("port path")),
               [] { open(); });
  EXPECT_EQ(boards_[0]->opened() + boards_[1]->opened(), 0);
  EXPECT_NO_THROW(open("1-2"));
}

TEST_F(UsbLink, moves_megabytes_both_ways_unchanged) {
  plug();
  const auto link = open();
  const auto bytes = random_bytes(9'000'001);
  EXPECT_TRUE(echo(*link, bytes) == bytes);
}

TEST_F(UsbLink, moves_messages_of_whole_packets_without_zero_length_packets) {
  for (const std::uint16_t packet_bytes : {std::uint16_t{512}, std::uint16_t{1024}}) {
    MockUsbBoard& board = plug({.port = "1-" + std::to_string(packet_bytes / 512),
                                .serial = std::to_string(packet_bytes),
                                .packet_bytes = packet_bytes});
    const auto link = open(std::to_string(packet_bytes));
    for (const std::size_t size :
         {1U, 32U, 511U, 512U, 1024U, 4096U, 16384U, 65536U, 262144U, 524288U, 262145U}) {
      const auto bytes = random_bytes(size);
      link->write(bytes, after_ms(kLongMs));
      EXPECT_TRUE(read_exactly(*link, size) == bytes) << size;
    }
    EXPECT_EQ(board.opened(), 1);
  }
}

TEST_F(UsbLink, works_on_when_the_kernel_has_little_memory_for_transfers) {
  // One, two and a half, and less than one of the usual transfers.
  for (const std::size_t limit : {300'000U, 640'000U, 100'000U}) {
    MockUsbBoard& board =
        plug({.port = "1-" + std::to_string(limit / 1000), .serial = std::to_string(limit)});
    board.limit_kernel_memory(limit);
    const auto link = open(std::to_string(limit));
    const auto bytes = random_bytes(1'500'000);
    EXPECT_TRUE(echo(*link, bytes) == bytes) << limit;
  }
}

TEST_F(UsbLink, says_when_the_kernel_has_no_memory_for_transfers) {
  plug().limit_kernel_memory(4096);
  expect_error(ADZE_RESOURCE_EXHAUSTED, HasSubstr("usbfs_memory_mb"), [] { open(); });
}

TEST_F(UsbLink, is_refused_while_another_program_has_the_board) {
  plug();
  const auto first = open();
  expect_error(ADZE_UNAVAILABLE,
               AllOf(HasSubstr("LAB0001"), HasSubstr("in use by another program")), [] { open(); });
  const auto bytes = random_bytes(100'000);
  EXPECT_TRUE(echo(*first, bytes) == bytes) << "the first user was disturbed";
}

TEST_F(UsbLink, is_free_again_after_use) {
  plug();
  for (int i = 0; i < 5; ++i) {
    const auto link = open();
    const auto bytes = random_bytes(1000);
    EXPECT_TRUE(echo(*link, bytes) == bytes);
  }
  EXPECT_EQ(agent_.connections(), 5);
}

TEST_F(UsbLink, read_ends_at_its_deadline_when_the_board_is_silent) {
  MockUsbBoard& board = plug();
  const auto link = open();
  board.mute_in(true);
  link->write(random_bytes(100), after_ms(kLongMs));
  std::vector<std::byte> into(100);
  const auto start = steady_clock::now();
  expect_error(ADZE_DEADLINE_EXCEEDED, AllOf(HasSubstr("usb:LAB0001"), HasSubstr("sent nothing")),
               [&] { link->read(into, after_ms(300)); });
  const auto took = steady_clock::now() - start;
  EXPECT_GE(took, milliseconds(300));
  EXPECT_LT(took, milliseconds(3000));
}

TEST_F(UsbLink, write_ends_at_its_deadline_when_the_board_takes_nothing) {
  MockUsbBoard& board = plug();
  const auto link = open();
  board.refuse_out(true);
  const auto bytes = random_bytes(8'000'000);
  const auto start = steady_clock::now();
  expect_error(ADZE_DEADLINE_EXCEEDED, AllOf(HasSubstr("does not take data"), HasSubstr("8000000")),
               [&] { link->write(bytes, after_ms(300)); });
  const auto took = steady_clock::now() - start;
  EXPECT_GE(took, milliseconds(300));
  EXPECT_LT(took, milliseconds(3000));
}

TEST_F(UsbLink, works_again_after_a_time_out_and_a_reset) {
  MockUsbBoard& board = plug();
  const auto link = open();
  board.refuse_out(true);
  EXPECT_THROW(link->write(random_bytes(8'000'000), after_ms(50)), RigError);
  board.refuse_out(false);
  link->reset();
  const auto bytes = random_bytes(700'000);
  EXPECT_TRUE(echo(*link, bytes) == bytes) << "bytes of before the reset were mixed in";
}

TEST_F(UsbLink, names_a_stall_while_sending_and_works_again_after_a_reset) {
  MockUsbBoard& board = plug();
  const auto link = open();
  board.stall_out_after(1'000'000);
  expect_error(ADZE_UNAVAILABLE,
               AllOf(HasSubstr("usb:LAB0001"), HasSubstr("stalled endpoint 0x03")), [&] {
                 link->write(random_bytes(4'000'000), after_ms(kLongMs));
                 read_exactly(*link, 4'000'000);
               });
  EXPECT_THROW(link->write(random_bytes(1), after_ms(kLongMs)), RigError) << "before the reset";
  link->reset();
  const auto bytes = random_bytes(1'000'000);
  EXPECT_TRUE(echo(*link, bytes) == bytes);
}

TEST_F(UsbLink, delivers_what_came_before_a_stall_and_works_again_after_a_reset) {
  MockUsbBoard& board = plug();
  const auto link = open();
  board.stall_in_after(100'000);
  const auto bytes = random_bytes(300'000);
  link->write(bytes, after_ms(kLongMs));
  std::vector<std::byte> into(bytes.size());
  std::size_t received = 0;
  expect_error(ADZE_UNAVAILABLE, HasSubstr("stalled endpoint 0x84"), [&] {
    for (;;) received += link->read(std::span(into).subspan(received), after_ms(kLongMs));
  });
  EXPECT_LE(received, 100'000U);
  EXPECT_TRUE(std::equal(into.begin(), into.begin() + static_cast<std::ptrdiff_t>(received),
                         bytes.begin()));
  link->reset();
  EXPECT_TRUE(echo(*link, bytes) == bytes);
}

TEST_F(UsbLink, notices_when_the_agent_hangs_up_after_its_last_byte) {
  plug();
  agent_.close_after(5000);
  const auto link = open();
  const auto bytes = random_bytes(5000);
  link->write(bytes, after_ms(kLongMs));
  EXPECT_TRUE(read_exactly(*link, bytes.size()) == bytes);
  std::vector<std::byte> into(1);
  expect_error(ADZE_UNAVAILABLE, HasSubstr("stalled"),
               [&] { link->read(into, after_ms(kLongMs)); });
}

TEST_F(UsbLink, throws_away_what_an_earlier_session_left_in_the_board) {
  MockUsbBoard& board = plug();
  board.leave_behind(std::vector<std::uint8_t>(65537, 0xee));
  const auto link = open();
  const auto bytes = random_bytes(50'000);
  EXPECT_TRUE(echo(*link, bytes) == bytes);
}

class UsbUnplug : public UsbLink, public testing::WithParamInterface<Unplug> {};

TEST_P(UsbUnplug, while_sending_is_an_error_that_says_so_and_the_board_can_be_plugged_again) {
  MockUsbBoard& board = plug();
  auto link = open();
  board.unplug_out_after(1'500'000, GetParam());
  const auto start = steady_clock::now();
  expect_error(ADZE_UNAVAILABLE, HasSubstr("board usb:LAB0001 is gone"), [&] {
    for (;;) link->write(random_bytes(8'000'000), after_ms(kLongMs));
  });
  EXPECT_LT(steady_clock::now() - start, milliseconds(kLongMs / 2));
  EXPECT_EQ(board.bytes_out(), 1'500'000U);
  std::vector<std::byte> into(10'000'000);
  expect_error(ADZE_UNAVAILABLE, HasSubstr("is gone"), [&] {
    for (;;) link->read(into, after_ms(kLongMs));
  });
  expect_error(ADZE_UNAVAILABLE, HasSubstr("is gone"), [&] { link->reset(); });
  // The transfers end before the kernel takes the device off its list.
  for (const auto deadline = after_ms(kLongMs);
       !find_usb_boards().empty() && steady_clock::now() < deadline;) {
    std::this_thread::sleep_for(milliseconds(5));
  }
  expect_error(ADZE_UNAVAILABLE, HasSubstr("no board usb:LAB0001"), [] { open(); });
  link.reset();

  board.plug();
  EXPECT_EQ(find_usb_boards().size(), 1U);
  link = open();
  const auto bytes = random_bytes(2'000'000);
  EXPECT_TRUE(echo(*link, bytes) == bytes);
}

TEST_P(UsbUnplug, while_waiting_for_an_answer_is_noticed_at_once) {
  MockUsbBoard& board = plug();
  const auto link = open();
  std::vector<std::byte> into(100);
  std::thread hand([&] {
    std::this_thread::sleep_for(milliseconds(100));
    board.unplug(GetParam());
  });
  const auto start = steady_clock::now();
  expect_error(ADZE_UNAVAILABLE, HasSubstr("board usb:LAB0001 is gone"),
               [&] { link->read(into, after_ms(kLongMs)); });
  EXPECT_LT(steady_clock::now() - start, milliseconds(kLongMs / 2));
  hand.join();
}

INSTANTIATE_TEST_SUITE_P(form, UsbUnplug,
                         testing::Values(Unplug::no_device, Unplug::error, Unplug::at_submit),
                         testing::PrintToStringParamName());

}  // namespace
}  // namespace adze::hil
