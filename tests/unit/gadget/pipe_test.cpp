// Sessions on a gadget's endpoints: what the host begins, ends, or leaves in the middle.
#include "hil/agent/usb/pipe.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/usb/functionfs.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <thread>

#include "hil/agent/usb/control.hpp"
#include "hil/link/usb/identity.hpp"
#include "host/base/error.hpp"
#include "tests/unit/gadget/fake_endpoints.hpp"

namespace adze::hil::usb {
namespace {

using host::after_ms;
using host::RigError;
using test::FakeEndpoints;
using testing::HasSubstr;

constexpr std::int64_t kLongMs = 20'000;

class Gadget : public testing::Test {
 protected:
  Gadget() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
      throw std::runtime_error("no socket pair");
    ep0_ = ends[0];
    kernel_ = ends[1];
    thread_ = std::thread([this] {
      while (!stop_) pipe_.deliver(after_ms(10));
    });
  }
  ~Gadget() override {
    join();
    ::close(ep0_);
    ::close(kernel_);
  }
  void join() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }

  /// As the endpoints' thread: what the kernel reports, handled. True: the request was stalled.
  bool control(std::vector<usb_functionfs_event> events) {
    join();  // one thread at a time, as in the agent
    EXPECT_GT(::write(kernel_, events.data(), events.size() * sizeof events[0]), 0);
    EXPECT_EQ(handle_control(ep0_, pipe_), 0);
    char unused = 0;
    const bool stalled = ::recv(kernel_, &unused, 1, MSG_DONTWAIT) == 0;
    stop_ = false;
    thread_ = std::thread([this] {
      while (!stop_) pipe_.deliver(after_ms(10));
    });
    return stalled;
  }
  bool request(std::uint8_t number, std::uint8_t type = 0x41, std::uint16_t length = 0) {
    usb_functionfs_event event{};
    event.type = FUNCTIONFS_SETUP;
    event.u.setup.bRequestType = type;
    event.u.setup.bRequest = number;
    event.u.setup.wLength = length;
    return control({event});
  }
  void happens(__u8 type) {
    usb_functionfs_event event{};
    event.type = type;
    control({event});
  }
  std::unique_ptr<Link> begin() {
    EXPECT_FALSE(request(kRequestBegin));
    return pipe_.accept(after_ms(kLongMs));
  }
  static std::string read(Link& link, std::size_t most = 1 << 20, std::int64_t wait_ms = kLongMs) {
    std::vector<std::byte> bytes(most);
    bytes.resize(link.read(bytes, after_ms(wait_ms)));
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  static std::string read_all(Link& link, std::size_t count) {
    std::string text;
    while (text.size() < count) text += read(link, count - text.size());
    return text;
  }
  static void write(Link& link, const std::string& text, std::int64_t wait_ms = kLongMs) {
    link.write(std::as_bytes(std::span(text)), after_ms(wait_ms));
  }
  static std::string failure(const std::function<void()>& body, adze_status code) {
    try {
      body();
    } catch (const RigError& error) {
      EXPECT_EQ(error.code, code) << error.what();
      return error.what();
    }
    return "nothing failed";
  }

  FakeEndpoints endpoints_;
  GadgetPipe pipe_{endpoints_, "usb:/dev/ffs-adze"};

 private:
  int ep0_ = -1, kernel_ = -1;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

std::string text_of(std::size_t size) {
  std::string text(size, ' ');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i % 23);
  return text;
}

TEST_F(Gadget, takes_nothing_before_a_host_begins_a_session) {
  happens(FUNCTIONFS_BIND);
  happens(FUNCTIONFS_ENABLE);
  EXPECT_EQ(pipe_.accept(after_ms(20)), nullptr);
  EXPECT_EQ(endpoints_.receiving(), 0U);
  const auto link = begin();
  ASSERT_TRUE(link);
  EXPECT_EQ(link->name(), "usb:/dev/ffs-adze");
  EXPECT_EQ(endpoints_.receiving(), kTransfers);
  EXPECT_EQ(pipe_.accept(after_ms(20)), nullptr) << "one session, one link";
}

TEST_F(Gadget, passes_bytes_on_in_order_whatever_the_sizes) {
  const auto link = begin();
  const std::string sent = text_of(100'000);
  endpoints_.host_sends(sent);
  EXPECT_EQ(read_all(*link, sent.size()), sent);
  endpoints_.host_sends("x");
  EXPECT_EQ(read(*link), "x");
  const std::string answer = text_of(50'001);
  write(*link, answer);
  std::string taken;
  while (taken.size() < answer.size()) taken += endpoints_.host_takes();
  EXPECT_EQ(taken, answer);
}

TEST_F(Gadget, ends_what_it_sends_with_a_short_packet_at_every_speed) {
  const auto link = begin();
  for (const std::size_t size : {64U, 512U, 1024U, 16384U, 32768U, 16385U, 1U, 63U}) {
    write(*link, text_of(size));
    std::size_t all = 0, last = 0;
    while (endpoints_.sending() > 0) {
      last = endpoints_.host_takes().size();
      all += last;
    }
    EXPECT_EQ(all, size);
    EXPECT_NE(last % 64, 0U) << size;
  }
}

TEST_F(Gadget, holds_no_more_than_its_transfers_until_the_agent_reads) {
  const auto link = begin();
  const std::string piece = text_of(kTransferBytes);
  for (std::size_t i = 0; i < kTransfers; ++i) endpoints_.host_sends(piece);
  ::usleep(20'000);
  EXPECT_EQ(endpoints_.receiving(), 0U);
  read_all(*link, piece.size());
  EXPECT_EQ(endpoints_.receiving(), 1U);
}

TEST_F(Gadget, writes_until_the_deadline_to_a_host_that_takes_nothing) {
  const auto link = begin();
  EXPECT_THAT(failure([&] { write(*link, text_of((kTransfers + 1) * kTransferBytes), 50); },
                      ADZE_DEADLINE_EXCEEDED),
              HasSubstr("did not take"));
  EXPECT_EQ(endpoints_.sending(), kTransfers);
}

TEST_F(Gadget, reads_until_the_deadline) {
  const auto link = begin();
  EXPECT_THAT(failure([&] { read(*link, 10, 50); }, ADZE_DEADLINE_EXCEEDED),
              HasSubstr("sent nothing"));
}

TEST_F(Gadget, gives_what_came_before_the_host_ended_the_session) {
  const auto link = begin();
  endpoints_.host_sends("goodbye");
  request(kRequestEnd);
  EXPECT_EQ(read(*link), "goodbye");
  EXPECT_THAT(failure([&] { read(*link); }, ADZE_UNAVAILABLE), HasSubstr("ended the session"));
  EXPECT_THAT(failure([&] { write(*link, "x"); }, ADZE_UNAVAILABLE),
              HasSubstr("ended the session"));
  EXPECT_EQ(endpoints_.receiving() + endpoints_.sending(), 0U);
  EXPECT_EQ(endpoints_.stalls(), 0);
}

TEST_F(Gadget, forgets_a_session_that_was_cut_off_when_the_next_begins) {
  const auto old_link = begin();
  endpoints_.host_sends("half a fra");
  write(*old_link, "an answer nobody takes");
  const auto link = begin();
  EXPECT_EQ(endpoints_.sending(), 0U);
  EXPECT_THAT(failure([&] { read(*old_link); }, ADZE_UNAVAILABLE), HasSubstr("another session"));
  EXPECT_THAT(failure([&] { write(*old_link, "x"); }, ADZE_UNAVAILABLE),
              HasSubstr("another session"));
  endpoints_.host_sends("hello");
  EXPECT_EQ(read(*link), "hello");
}

TEST_F(Gadget, a_reader_that_waits_hears_of_the_next_session) {
  const auto old_link = begin();
  std::string text;
  std::thread reader([&] { text = failure([&] { read(*old_link); }, ADZE_UNAVAILABLE); });
  ::usleep(20'000);
  const auto link = begin();
  reader.join();
  EXPECT_THAT(text, HasSubstr("another session"));
}

TEST_F(Gadget, an_old_link_that_ends_does_not_disturb_the_session_after_it) {
  auto old_link = begin();
  const auto link = begin();
  old_link.reset();
  EXPECT_EQ(endpoints_.stalls(), 0);
  endpoints_.host_sends("still here");
  EXPECT_EQ(read(*link), "still here");
}

TEST_F(Gadget, every_way_to_leave_the_bus_ends_the_session) {
  for (const int type :
       {FUNCTIONFS_UNBIND, FUNCTIONFS_DISABLE, FUNCTIONFS_ENABLE, FUNCTIONFS_BIND}) {
    const auto link = begin();
    endpoints_.host_sends("half");
    happens(static_cast<__u8>(type));
    EXPECT_EQ(read(*link), "half");
    EXPECT_THAT(failure([&] { read(*link); }, ADZE_UNAVAILABLE), HasSubstr("cable")) << type;
  }
  const auto link = begin();
  happens(FUNCTIONFS_SUSPEND);
  happens(FUNCTIONFS_RESUME);
  endpoints_.host_sends("slept");
  EXPECT_EQ(read(*link), "slept");
}

TEST_F(Gadget, transfers_that_fail_end_the_session_before_the_kernel_says_why) {
  for (const auto& [error, text] : {std::pair{ESHUTDOWN, "cable"}, {EPROTO, "Protocol error"}}) {
    const auto link = begin();
    endpoints_.shut_down(error);
    EXPECT_THAT(failure([&] { read(*link); }, ADZE_UNAVAILABLE), HasSubstr(text));
  }
  endpoints_.refuse = EAGAIN;
  EXPECT_FALSE(request(kRequestBegin));
  EXPECT_EQ(pipe_.accept(after_ms(20)), nullptr);
  endpoints_.refuse = 0;
  EXPECT_TRUE(begin());
}

TEST_F(Gadget, sends_what_was_written_last_and_stalls_when_the_agent_closes) {
  auto link = begin();
  write(*link, "because");
  std::thread closer([&] { link.reset(); });
  ::usleep(30'000);
  EXPECT_EQ(endpoints_.stalls(), 0);
  EXPECT_EQ(endpoints_.host_takes(), "because");
  closer.join();
  EXPECT_EQ(endpoints_.stalls(), 1);
  EXPECT_EQ(endpoints_.receiving(), 0U);
  const auto next = begin();
  endpoints_.host_sends("again");
  EXPECT_EQ(read(*next), "again");
}

TEST_F(Gadget, a_host_that_begins_while_the_agent_closes_is_served) {
  auto link = begin();
  write(*link, "because");
  std::thread closer([&] { link.reset(); });
  ::usleep(30'000);
  const auto next = begin();
  closer.join();
  EXPECT_EQ(endpoints_.stalls(), 0);
  endpoints_.host_sends("hello");
  EXPECT_EQ(read(*next), "hello");
}

TEST_F(Gadget, a_reset_link_has_forgotten_what_came) {
  const auto link = begin();
  endpoints_.host_sends("garbage");
  ::usleep(50'000);
  link->reset();
  endpoints_.host_sends("good");
  EXPECT_EQ(read(*link), "good");
}

TEST_F(Gadget, survives_transfers_that_the_kernel_does_not_give_back) {
  auto link = begin();
  endpoints_.stuck = true;
  const auto next = begin();
  endpoints_.host_sends("hello");
  EXPECT_EQ(read(*next), "hello");
  endpoints_.stuck = false;
}

TEST_F(Gadget, stalls_requests_that_it_does_not_know) {
  EXPECT_TRUE(request(0x03));
  EXPECT_TRUE(request(kRequestBegin, 0x40));     // to the device
  EXPECT_TRUE(request(kRequestBegin, 0x41, 4));  // with data
  EXPECT_TRUE(request(kRequestBegin, 0x01));     // of the standard
  EXPECT_EQ(pipe_.accept(after_ms(20)), nullptr);
}

TEST_F(Gadget, handles_all_events_that_came_together) {
  usb_functionfs_event enable{}, begin_request{};
  enable.type = FUNCTIONFS_ENABLE;
  begin_request.type = FUNCTIONFS_SETUP;
  begin_request.u.setup.bRequestType = 0x41;
  begin_request.u.setup.bRequest = kRequestBegin;
  control({enable, begin_request});
  EXPECT_TRUE(pipe_.accept(after_ms(kLongMs)));
}

}  // namespace
}  // namespace adze::hil::usb
