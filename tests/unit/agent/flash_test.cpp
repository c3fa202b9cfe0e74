// Bundles on their way to a board's storage, and what is left there when something goes wrong.
#include <fstream>
#include <random>

#include "tests/unit/agent/board_fixture.hpp"

namespace adze::hil::test {
namespace {

using testing::HasSubstr;

class Flash : public testing::Test {
 protected:
  std::filesystem::path root() const { return directory_.path() / "root"; }
  std::filesystem::path socket() const { return directory_.path() / "agent.sock"; }
  host::TemporaryDirectory directory_;
};

TEST_F(Flash, stores_a_bundle_and_activates_it) {
  LocalBoard board(agent_options(root()));
  BoardSession session(board.connect());
  const auto bundle = echo_bundle("ok", 3u << 20);
  const FlashResult flashed = flash(session, bundle);
  EXPECT_FALSE(flashed.skipped);
  EXPECT_EQ(flashed.sent_bytes, bundle.size());
  EXPECT_EQ(session.info().active, "");
  const ActivateReply activated = session.activate(flashed.bundle);
  EXPECT_EQ(activated.smoke_max_abs, 0);
  EXPECT_EQ(session.info().active, flashed.bundle);
  EXPECT_EQ(host::read_text_file(root() / "current" / "artifacts" / "mode"), "ok");
}

TEST_F(Flash, sends_nothing_when_the_board_has_the_bundle) {
  LocalBoard board(agent_options(root()));
  BoardSession session(board.connect());
  const auto bundle = echo_bundle("ok");
  flash(session, bundle);
  const FlashResult again = flash(session, bundle);
  EXPECT_TRUE(again.skipped);
  EXPECT_EQ(again.sent_bytes, 0u);
}

TEST_F(Flash, sends_again_what_was_damaged_on_the_storage) {
  LocalBoard board(agent_options(root()));
  BoardSession session(board.connect());
  const auto bundle = echo_bundle("ok");
  session.activate(flash(session, bundle).bundle);
  std::ofstream(root() / "current" / "artifacts" / "mode") << "oh";
  EXPECT_FALSE(flash(session, bundle).skipped);
  EXPECT_EQ(host::read_text_file(root() / "current" / "artifacts" / "mode"), "ok");
}

TEST_F(Flash, keeps_the_previous_bundle_and_forgets_older_ones) {
  LocalBoard board(agent_options(root()));
  BoardSession session(board.connect());
  const auto first = echo_bundle("ok"), second = echo_bundle("ok", 10),
             third = echo_bundle("ok", 20);
  for (const auto& bundle : {first, second, third}) session.activate(flash(session, bundle).bundle);
  const auto slots = session.slots();
  ASSERT_EQ(slots.size(), 2u);
  for (const SlotInfo& slot : slots) {
    EXPECT_EQ(slot.active, slot.bundle == id_of(third));
    EXPECT_EQ(slot.previous, slot.bundle == id_of(second));
  }
}

TEST_F(Flash, a_failed_smoke_test_leaves_the_previous_bundle_active) {
  LocalBoard board(agent_options(root()));
  BoardSession session(board.connect());
  const auto good = echo_bundle("ok");
  session.activate(flash(session, good).bundle);
  for (const char* mode : {"wrong", "bad", "crash_load"}) {
    const std::string id = flash(session, echo_bundle(mode)).bundle;
    const Failure failure = failure_of([&] { session.activate(id); });
    EXPECT_EQ(failure.exit, host::Exit::failed) << mode << ": " << failure.text;
    EXPECT_EQ(session.info().active, id_of(good)) << mode;
  }
}

TEST_F(Flash, refuses_bundles_for_another_board_type) {
  LocalBoard board(agent_options(root()));
  BoardSession session(board.connect());
  const Failure failure = failure_of([&] { flash(session, echo_bundle("ok", 0, "rzv2l")); });
  EXPECT_EQ(failure.code, ADZE_FAILED_PRECONDITION);
  EXPECT_THAT(failure.text, HasSubstr("rzv2l"));
}

TEST_F(Flash, refuses_unsigned_bundles_outside_of_lab_mode) {
  AgentOptions options = agent_options(root());
  options.lab = false;
  LocalBoard board(options);
  BoardSession session(board.connect());
  const Failure failure = failure_of([&] { flash(session, echo_bundle("ok")); });
  EXPECT_EQ(failure.code, ADZE_PERMISSION_DENIED);
  EXPECT_TRUE(session.slots().empty());
}

TEST_F(Flash, takes_what_a_trusted_key_signed_until_that_key_is_removed) {
  AgentOptions options = agent_options(root());
  options.lab = false;
  options.trusted_keys = root() / "trusted";
  const KeyPair ours = make_key_pair(), theirs = make_key_pair();
  std::filesystem::create_directories(options.trusted_keys);
  save_key_pair(ours, root() / "ours.key", options.trusted_keys / "ours.pub");
  LocalBoard board(options);
  BoardSession session(board.connect());
  const auto plain = echo_bundle("ok");
  const auto signed_by = [&](const KeyPair& pair) {
    return sign_bundle(Bundle(*memory_source(plain)), pair.secret_key);
  };
  Failure failure = failure_of([&] { flash(session, signed_by(theirs)); });
  EXPECT_EQ(failure.code, ADZE_PERMISSION_DENIED);
  EXPECT_THAT(failure.text, HasSubstr("a key that is not trusted here"));
  const FlashResult result = flash(session, signed_by(ours));
  EXPECT_EQ(result.signed_by, "ours");
  session.activate(result.bundle);
  session.load();

  std::filesystem::remove(options.trusted_keys / "ours.pub");
  EXPECT_EQ(failure_of([&] { session.load(); }).code, ADZE_PERMISSION_DENIED);
  EXPECT_EQ(failure_of([&] { session.activate(result.bundle); }).code, ADZE_PERMISSION_DENIED);
  save_key_pair(theirs, root() / "theirs.key", options.trusted_keys / "theirs.pub");
  const FlashResult again = flash(session, signed_by(theirs));
  EXPECT_FALSE(again.skipped) << "what is there has no trusted signature";
  EXPECT_EQ(again.signed_by, "theirs");
  session.load();
}

TEST_F(Flash, resumes_where_it_was_interrupted) {
  const auto bundle = echo_bundle("ok", 2u << 20);
  LocalBoard board(agent_options(root()));
  {
    BoardSession session(board.connect());
    EXPECT_THROW(session.flash(*memory_source(bundle),
                               [](double fraction, const std::string&) {
                                 if (fraction > 0.4) throw std::runtime_error("unplugged");
                               }),
                 std::runtime_error);
  }
  BoardSession session(board.connect());
  const FlashResult result = flash(session, bundle);
  EXPECT_GT(result.sent_bytes, 0u);
  EXPECT_LT(result.sent_bytes, bundle.size() * 7 / 10);
  session.activate(result.bundle);
}

TEST_F(Flash, finds_storage_that_does_not_give_back_what_was_written) {
  AgentOptions options = agent_options(root());
  bool broken = true;
  options.before_read_back = [&](const std::filesystem::path& tree) {
    if (broken) std::ofstream(tree / "artifacts" / "mode") << "no";
  };
  LocalBoard board(options);
  BoardSession session(board.connect());
  const Failure failure = failure_of([&] { flash(session, echo_bundle("ok")); });
  EXPECT_EQ(failure.code, ADZE_DATA_LOSS);
  EXPECT_EQ(failure.exit, host::Exit::rig);
  EXPECT_THAT(failure.text, HasSubstr("artifacts/mode"));
  EXPECT_TRUE(session.slots().empty());
  broken = false;
  flash(session, echo_bundle("ok"));
}

/// Damages the n-th large write on its way to the board.
class DamagingLink : public Link {
 public:
  DamagingLink(std::unique_ptr<Link> link, int which) : link_(std::move(link)), left_(which) {}
  std::string name() const override { return link_->name(); }
  void write(std::span<const std::byte> bytes, Deadline deadline) override {
    std::vector<std::byte> copy(bytes.begin(), bytes.end());
    if (copy.size() > 100'000 && left_-- == 0) copy[5000] ^= std::byte{1};
    link_->write(copy, deadline);
  }
  std::size_t read(std::span<std::byte> into, Deadline deadline) override {
    return link_->read(into, deadline);
  }
  void reset() override { link_->reset(); }

 private:
  std::unique_ptr<Link> link_;
  int left_;
};

TEST_F(Flash, refuses_a_piece_that_was_damaged_on_the_way) {
  LocalBoard board(agent_options(root()));
  const auto bundle = echo_bundle("ok", 2u << 20);
  {
    BoardSession session(std::make_unique<DamagingLink>(board.connect(), 2));
    const Failure failure = failure_of([&] { flash(session, bundle); });
    EXPECT_EQ(failure.code, ADZE_DATA_LOSS);
    EXPECT_EQ(failure.exit, host::Exit::rig);
    EXPECT_TRUE(session.slots().empty());
  }
  BoardSession session(board.connect());
  session.activate(flash(session, bundle).bundle);
}

TEST_F(Flash, killing_the_agent_at_any_point_leaves_a_whole_bundle_active) {
  const auto old_bundle = echo_bundle("ok"), new_bundle = echo_bundle("ok", 6u << 20);
  {
    ProgramBoard board(root(), socket());
    BoardSession session(board.connect());
    session.activate(flash(session, old_bundle).bundle);
  }
  std::mt19937 random(1);
  int interrupted = 0;
  for (int round = 0; round < 12; ++round) {
    {
      ProgramBoard board(root(), socket());
      std::thread killer([&board, after_us = 1000 + random() % 120'000] {
        ::usleep(static_cast<unsigned>(after_us));
        board.end(SIGKILL);
      });
      try {
        BoardSession session(board.connect());
        for (;;) {
          session.activate(flash(session, new_bundle).bundle);
          session.activate(flash(session, old_bundle).bundle);
        }
      } catch (const host::Error& error) {
        EXPECT_EQ(error.exit(), host::Exit::rig) << error.what();
        ++interrupted;
      }
      killer.join();
    }
    ProgramBoard board(root(), socket());
    BoardSession session(board.connect());
    const std::string active = session.info().active;
    EXPECT_TRUE(active == id_of(old_bundle) || active == id_of(new_bundle)) << active;
    // begin() reads every file of a stored bundle back, so that "skipped" means "whole".
    EXPECT_TRUE(flash(session, active == id_of(old_bundle) ? old_bundle : new_bundle).skipped);
    session.load();
  }
  EXPECT_EQ(interrupted, 12);
}

}  // namespace
}  // namespace adze::hil::test
