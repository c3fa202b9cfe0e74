// kill -9 of the host or of the agent at random points of a flash: there always is a whole slot.
#include <random>

#include "tests/integration/boards/sim_board.hpp"

namespace adze::hil::test {
namespace {

constexpr int kRounds = 200;

TEST(Kill, of_host_or_agent_at_200_points_of_a_flash_leaves_a_whole_bundle_active) {
  const Lab lab;
  const auto one = echo_bundle("ok", 5u << 20), other = echo_bundle("ok", (5u << 20) + 1);
  const std::string files[] = {lab.bundle("ok", 5u << 20).string(),
                               lab.bundle("ok", (5u << 20) + 1).string()};
  const std::string ids[] = {id_of(one), id_of(other)};
  const auto root = lab.path() / "k.root", socket = lab.path() / "k.sock";
  const std::string address = "unix:" + socket.string();
  const std::string adze = (adze::test::binary_dir() / "bin/adze").string();
  {
    ProgramBoard board(root, socket);
    BoardSession session(board.connect());
    session.activate(flash(session, one).bundle);
  }
  std::mt19937 random(20);
  int old_slot = 0, new_slot = 0, resumed = 0, host_kills = 0;
  auto board = std::make_unique<ProgramBoard>(root, socket);
  board->connect();
  // As long as a whole flash takes now, so that the points lie all along it.
  std::int64_t whole_us = 0;
  int active = 0;
  for (int round = 0; round < kRounds; ++round) {
    const bool kill_host = round % 2 == 0;
    const int next = 1 - active;
    const auto begin = std::chrono::steady_clock::now();
    Started host({adze, "board", "flash", address, files[next]}, lab.environment,
                 lab.path() / "host.log");
    const bool measure = round % 20 == 0;
    if (measure) {
      ::waitpid(host.pid(), nullptr, 0);
      whole_us = std::chrono::duration_cast<std::chrono::microseconds>(
                     std::chrono::steady_clock::now() - begin)
                     .count();
    } else {
      ::usleep(static_cast<unsigned>(random() % static_cast<unsigned>(whole_us)));
      if (kill_host) {
        host.end(SIGKILL);
        ++host_kills;
      } else {
        board->end(SIGKILL);
        host.end(SIGKILL);
        board = std::make_unique<ProgramBoard>(root, socket);
      }
    }
    // The lease of a client that was killed goes with its connection.
    std::optional<BoardSession> session;
    for (int i = 0; !session && i < 200; ++i) {
      if (failure_of([&] { session.emplace(board->connect()); }).code != ADZE_OK) ::usleep(10'000);
    }
    ASSERT_TRUE(session) << "round " << round;
    const std::string id = session->info().active;
    ASSERT_TRUE(id == ids[0] || id == ids[1]) << "round " << round << ": " << id;
    active = id == ids[0] ? 0 : 1;
    ++(active == next ? new_slot : old_slot);
    // begin() reads every file of a stored bundle back: "skipped" means that the hashes are right.
    ASSERT_TRUE(flash(*session, active == 0 ? one : other).skipped) << "round " << round;
    ASSERT_EQ(session->load().bundle, id);
    // The next flash works, from where the last one stopped.
    const auto& wanted = active == 0 ? other : one;
    if (round % 10 == 5) {
      const FlashResult result = flash(*session, wanted);
      resumed += !result.skipped && result.sent_bytes < wanted.size();
      session->activate(result.bundle);
      active = 1 - active;
    }
  }
  std::printf(
      "%d rounds, %d times the host, %d the agent: %d found the old slot, %d the new one; %d of "
      "20 next flashes resumed\n",
      kRounds, host_kills, kRounds - host_kills - kRounds / 20, old_slot, new_slot, resumed);
  EXPECT_GT(old_slot, 20);
  EXPECT_GT(new_slot, 5);
}

}  // namespace
}  // namespace adze::hil::test
