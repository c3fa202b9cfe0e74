#include "hil/link/socket_link.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <functional>
#include <thread>

#include "hil/link/frame_link.hpp"
#include "host/base/error.hpp"
#include "host/base/file.hpp"

namespace adze::hil {
namespace {

using host::after_ms;
using host::RigError;

adze_status code_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const host::Error& error) {
    return error.code;
  }
  return ADZE_OK;
}

/// XDG_RUNTIME_DIR is a folder of this test for as long as it lives.
class RuntimeDirectory {
 public:
  RuntimeDirectory() { ::setenv("XDG_RUNTIME_DIR", directory_.path().c_str(), 1); }
  ~RuntimeDirectory() { ::unsetenv("XDG_RUNTIME_DIR"); }

 private:
  host::TemporaryDirectory directory_;
};

TEST(SocketLink, carries_more_than_the_socket_buffers_hold) {
  auto [here, there] = make_socket_pair("pair");
  std::vector<std::byte> sent(5u << 20);
  for (std::size_t i = 0; i < sent.size(); ++i) sent[i] = std::byte(i * 7 & 255);
  std::thread writer([&link = *here, &sent] { link.write(sent, after_ms(10'000)); });
  std::vector<std::byte> received, buffer(100'000);
  while (received.size() < sent.size()) {
    const std::size_t got = there->read(buffer, after_ms(10'000));
    received.insert(received.end(), buffer.begin(), buffer.begin() + static_cast<long>(got));
  }
  writer.join();
  EXPECT_EQ(received, sent);
}

TEST(SocketLink, read_ends_at_its_deadline) {
  auto [here, there] = make_socket_pair("pair");
  std::vector<std::byte> buffer(10);
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(code_of([&] { here->read(buffer, after_ms(50)); }), ADZE_DEADLINE_EXCEEDED);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(49));
}

TEST(SocketLink, write_to_a_side_that_does_not_read_ends_at_its_deadline) {
  auto [here, there] = make_socket_pair("pair");
  const std::vector<std::byte> much(16u << 20);
  EXPECT_EQ(code_of([&] { here->write(much, after_ms(50)); }), ADZE_DEADLINE_EXCEEDED);
}

TEST(SocketLink, says_that_the_other_side_is_gone) {
  auto [here, there] = make_socket_pair("pair");
  there.reset();
  std::vector<std::byte> buffer(10);
  EXPECT_EQ(code_of([&] { here->read(buffer, after_ms(1000)); }), ADZE_UNAVAILABLE);
  EXPECT_EQ(code_of([&] { here->write(buffer, after_ms(1000)); }), ADZE_UNAVAILABLE);
}

TEST(SocketLink, reset_throws_received_bytes_away) {
  auto [here, there] = make_socket_pair("pair");
  const std::vector<std::byte> bytes(1000);
  there->write(bytes, after_ms(1000));
  here->reset();
  std::vector<std::byte> buffer(10);
  EXPECT_EQ(code_of([&] { here->read(buffer, after_ms(20)); }), ADZE_DEADLINE_EXCEEDED);
}

TEST(SocketLink, works_over_two_pipes) {
  int up[2], down[2];
  ASSERT_EQ(::pipe(up), 0);
  ASSERT_EQ(::pipe(down), 0);
  SocketLink here(OwnedFd{down[0]}, OwnedFd{up[1]}, "pipes");
  SocketLink there(OwnedFd{up[0]}, OwnedFd{down[1]}, "pipes");
  const std::vector<std::byte> bytes(10, std::byte{3});
  here.write(bytes, after_ms(1000));
  std::vector<std::byte> buffer(10);
  EXPECT_EQ(there.read(buffer, after_ms(1000)), 10u);
  EXPECT_EQ(buffer, bytes);
}

TEST(FrameLink, keeps_half_a_frame_for_the_next_call) {
  auto [here, there] = make_socket_pair("pair");
  FrameLink frames(*there);
  const host::Frame frame{.type = host::FrameType::data, .payload = {std::byte{1}, std::byte{2}}};
  const auto bytes = host::encode_frame(frame);
  here->write(std::span(bytes).first(20), after_ms(1000));
  EXPECT_FALSE(frames.receive_before(after_ms(20)));
  here->write(std::span(bytes).subspan(20), after_ms(1000));
  EXPECT_EQ(frames.receive(after_ms(1000)), frame);
}

TEST(UnixListener, takes_over_from_a_dead_listener_and_not_from_a_living_one) {
  const host::TemporaryDirectory directory;
  const auto path = directory.path() / "a.sock";
  {
    const UnixListener listener(path);
    EXPECT_EQ(code_of([&] { const UnixListener second(path); }), ADZE_ALREADY_EXISTS);
    struct stat found {};
    ASSERT_EQ(::stat(path.c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 0777, 0600u);
    std::filesystem::create_hard_link(path, directory.path() / "kept.sock");
  }
  EXPECT_FALSE(std::filesystem::exists(path));
  std::filesystem::rename(directory.path() / "kept.sock", path);
  UnixListener listener(path);
  const auto client = connect_unix(path, "x", after_ms(1000));
  EXPECT_TRUE(listener.accept(after_ms(1000)));
}

TEST(OpenLink, finds_a_simulated_board_by_address_and_by_bare_id) {
  const RuntimeDirectory runtime;
  UnixListener listener(std::filesystem::path(sim_directory()) / "sim-01.sock");
  EXPECT_EQ(open_link("sim:sim-01", after_ms(1000))->name(), "sim:sim-01");
  EXPECT_EQ(open_link("sim-01", after_ms(1000))->name(), "sim:sim-01");
  EXPECT_EQ(open_link("unix:" + listener.path().string(), after_ms(1000))->name(),
            "unix:" + listener.path().string());
  const std::vector<FoundBoard> boards = find_boards();
  ASSERT_FALSE(boards.empty());
  EXPECT_EQ(boards.front().address, "sim:sim-01");
}

TEST(OpenLink, names_the_boards_that_are_there_when_one_is_not) {
  const RuntimeDirectory runtime;
  const UnixListener listener(std::filesystem::path(sim_directory()) / "sim-01.sock");
  try {
    open_link("v2h-07", after_ms(1000));
    FAIL() << "opened";
  } catch (const RigError& error) {
    EXPECT_EQ(error.code, ADZE_UNAVAILABLE);
    EXPECT_THAT(error.what(), testing::HasSubstr("sim:sim-01"));
    EXPECT_EQ(error.exit(), host::Exit::rig);
  }
}

TEST(OpenLink, refuses_unknown_schemes_and_ids_that_leave_the_folder) {
  const RuntimeDirectory runtime;
  EXPECT_EQ(code_of([] { open_link("tcp:10.0.0.1", after_ms(100)); }), ADZE_INVALID_ARGUMENT);
  EXPECT_EQ(code_of([] { open_link("sim:../x", after_ms(100)); }), ADZE_INVALID_ARGUMENT);
  EXPECT_EQ(code_of([] { open_link("", after_ms(100)); }), ADZE_INVALID_ARGUMENT);
}

TEST(SimDirectory, refuses_a_folder_others_can_enter) {
  const RuntimeDirectory runtime;
  const std::string path = sim_directory();
  ::chmod(path.c_str(), 0755);
  EXPECT_EQ(code_of([] { sim_directory(); }), ADZE_PERMISSION_DENIED);
}

}  // namespace
}  // namespace adze::hil
