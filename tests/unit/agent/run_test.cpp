// Sessions, inference in the worker, and everything that can go wrong there.
#include <fcntl.h>

#include <fstream>
#include <random>

#include "hil/session/board_runner.hpp"
#include "tests/unit/agent/board_fixture.hpp"

namespace adze::hil::test {
namespace {

using testing::HasSubstr;

class Board : public testing::Test {
 protected:
  host::TemporaryDirectory directory_;
  LocalBoard board_{agent_options(directory_.path() / "root")};
};

SessionTimeouts quick_run() {
  SessionTimeouts timeouts;
  timeouts.run_ms = 400;
  return timeouts;
}

TEST_F(Board, says_what_it_is) {
  BoardSession session(board_.connect());
  EXPECT_EQ(session.board().board, "sim-01");
  EXPECT_TRUE(session.board().simulated);
  EXPECT_TRUE(session.board().lab);
  const InfoReply info = session.info();
  EXPECT_EQ(info.board_type, "rzv2h");
  EXPECT_EQ(info.backend, "test.echo");
  EXPECT_EQ(info.hardware, "simulated");
  EXPECT_FALSE(info.boot_id.empty());
  session.telemetry();
}

TEST_F(Board, runs_samples_one_by_one_and_times_each) {
  BoardSession session(board_.connect());
  const LoadReply loaded = install(session, echo_bundle("ok"));
  const host::Tensor input = samples({2, 3, 4, 5, 6, 7});
  const RunResult result = session.run(loaded.inputs, std::span(&input, 1));
  ASSERT_EQ(result.outputs.size(), 1u);
  EXPECT_EQ(result.outputs[0].name, "y");
  EXPECT_EQ(result.outputs[0].tensor.shape(), (host::Shape{3, 2}));
  EXPECT_THAT(result.outputs[0].tensor.as<float>(), testing::ElementsAre(4, 6, 8, 10, 12, 14));
  ASSERT_EQ(result.times_ns.size(), 3u);
  for (const std::int64_t time : result.times_ns) EXPECT_GT(time, 0);
  EXPECT_EQ(result.first_ns, 0);
}

TEST_F(Board, drops_the_first_call_warms_up_and_repeats_as_asked) {
  BoardSession session(board_.connect());
  const LoadReply loaded = install(session, echo_bundle("ok"));
  const host::Tensor input = samples({2, 3, 4, 5});
  const RunResult result =
      session.run(loaded.inputs, std::span(&input, 1),
                  {.drop_first = true, .warmup_ms = 20, .repeats = 50, .outputs_wanted = false});
  EXPECT_EQ(result.times_ns.size(), 100u);
  EXPECT_GT(result.first_ns, 0);
  EXPECT_GE(result.warmup_count, 10);
  EXPECT_TRUE(result.outputs.empty());
}

TEST_F(Board, profile_rows_name_the_nodes_of_the_manifest) {
  BoardSession session(board_.connect());
  install(session, echo_bundle("ok"));
  const auto rows = session.profile();
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].nodes, std::vector<std::string>{"only"});
  EXPECT_EQ(rows[0].engine, "ECHO");
  EXPECT_FALSE(rows[0].predicted);
}

TEST_F(Board, is_a_runner) {
  BoardSession session(board_.connect());
  session.activate(flash(session, echo_bundle("ok")).bundle);
  BoardRunner runner(session, "echo.onnx");
  EXPECT_EQ(runner.name(), "board:sim-01:echo.onnx");
  const host::Tensor input = samples({2, 3, 4, 5});
  runner.run(std::span(&input, 1));
  runner.run(std::span(&input, 1));
  const Measurement measurement = runner.measurement();
  EXPECT_EQ(measurement.statistics.n, 4u);
  EXPECT_TRUE(measurement.conditions.simulated);
  EXPECT_TRUE(measurement.conditions.first_dropped);
  EXPECT_GT(measurement.conditions.warmup_count, 0);
}

TEST_F(Board, run_before_load_is_refused) {
  BoardSession session(board_.connect());
  const host::Tensor input = samples({2, 3});
  const std::vector<TensorSpec> specs{{.name = "x", .shape = {1, 2}, .batch_axis = 0}};
  EXPECT_EQ(failure_of([&] { session.run(specs, std::span(&input, 1)); }).code,
            ADZE_FAILED_PRECONDITION);
  EXPECT_EQ(failure_of([&] { session.load(); }).code, ADZE_FAILED_PRECONDITION);
}

TEST_F(Board, a_crash_in_the_worker_is_told_with_its_last_words_and_the_agent_lives) {
  BoardSession session(board_.connect());
  const LoadReply loaded = install(session, echo_bundle("crash"));
  const host::Tensor input = samples({2, 3});
  const Failure failure = failure_of([&] { session.run(loaded.inputs, std::span(&input, 1)); });
  EXPECT_EQ(failure.exit, host::Exit::failed);
  EXPECT_THAT(failure.text, HasSubstr("signal 11"));
  EXPECT_THAT(failure.text, HasSubstr("about to crash"));
  session.load();
}

TEST_F(Board, an_exit_of_the_worker_is_told) {
  BoardSession session(board_.connect());
  const LoadReply loaded = install(session, echo_bundle("exit"));
  const host::Tensor input = samples({2, 3});
  EXPECT_THAT(failure_of([&] { session.run(loaded.inputs, std::span(&input, 1)); }).text,
              HasSubstr("exited with 3"));
}

TEST_F(Board, an_error_of_the_backend_keeps_the_worker) {
  BoardSession session(board_.connect());
  const LoadReply loaded = install(session, echo_bundle("fail"));
  const host::Tensor bad = samples({2, 3}), good = samples({1, 3});
  const Failure failure = failure_of([&] { session.run(loaded.inputs, std::span(&bad, 1)); });
  EXPECT_EQ(failure.exit, host::Exit::failed);
  EXPECT_THAT(failure.text, HasSubstr("does not like this input"));
  session.run(loaded.inputs, std::span(&good, 1));
}

TEST_F(Board, a_hanging_worker_is_killed_at_the_deadline_with_all_it_started) {
  for (const char* mode : {"hang", "child"}) {
    BoardSession session(board_.connect(), quick_run());
    const LoadReply loaded = install(session, echo_bundle(mode));
    const host::Tensor input = samples({2, 3});
    const auto begin = std::chrono::steady_clock::now();
    const Failure failure = failure_of([&] { session.run(loaded.inputs, std::span(&input, 1)); });
    EXPECT_EQ(failure.code, ADZE_DEADLINE_EXCEEDED) << failure.text;
    EXPECT_THAT(failure.text, HasSubstr("was killed"));
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
    session.load();
  }
}

TEST_F(Board, a_worker_that_prints_much_is_not_stopped_by_it) {
  BoardSession session(board_.connect());
  const LoadReply loaded = install(session, echo_bundle("noisy"));
  const host::Tensor input = samples({2, 3});
  EXPECT_EQ(session.run(loaded.inputs, std::span(&input, 1)).times_ns.size(), 1u);
}

TEST_F(Board, sends_signs_of_life_while_it_works) {
  BoardSession session(board_.connect());
  const LoadReply loaded = install(session, echo_bundle("slow"));
  const host::Tensor input = samples({2, 3});
  int beats = 0;
  session.run(loaded.inputs, std::span(&input, 1), {},
              [&](double, const std::string&) { ++beats; });
  EXPECT_GE(beats, 3);
}

TEST_F(Board, a_second_client_is_told_who_holds_the_board) {
  BoardSession first(board_.connect());
  const Failure failure = failure_of([&] { BoardSession second(board_.connect()); });
  EXPECT_EQ(failure.code, ADZE_UNAVAILABLE);
  EXPECT_EQ(failure.exit, host::Exit::rig);
  EXPECT_THAT(failure.text, HasSubstr("BUSY"));
  EXPECT_THAT(failure.text, HasSubstr(client_name()));
  first.info();
}

TEST_F(Board, is_free_when_its_holder_is_gone) {
  {
    auto link = board_.connect();
    BoardSession first(std::move(link));
  }
  for (int i = 0; i < 100; ++i) {
    const Failure failure = failure_of([&] { BoardSession(board_.connect()).info(); });
    if (failure.code == ADZE_OK) return;
    ::usleep(20'000);
  }
  FAIL() << "still held";
}

TEST_F(Board, refuses_requests_without_a_session_or_with_the_nonce_of_another) {
  const auto link = board_.connect();
  FrameLink frames(*link);
  frames.send({.seq = 5, .nonce = 77, .payload = encode_plain(Verb::info, 1000)},
              host::after_ms(1000));
  const host::Frame answer = frames.receive(host::after_ms(5000));
  EXPECT_EQ(answer.type, host::FrameType::error);
  EXPECT_EQ(answer.seq, 5u);
  EXPECT_EQ(ErrorNote::decode(answer.payload).code, ADZE_FAILED_PRECONDITION);
}

TEST_F(Board, a_cancelled_run_ends_soon) {
  const auto link = board_.connect();
  FrameLink frames(*link);
  const auto answer_to = [&](std::uint32_t seq) {
    for (;;) {
      host::Frame answer = frames.receive(host::after_ms(20'000));
      if (answer.type != host::FrameType::progress && answer.seq == seq) return answer;
    }
  };
  {
    BoardSession session(board_.connect());
    session.activate(flash(session, echo_bundle("hang")).bundle);
    session.reset();
  }
  frames.send({.seq = 1, .payload = HelloRequest{.client = "me"}.encode(1000)},
              host::after_ms(1000));
  const std::uint64_t nonce = HelloReply::decode(answer_to(1).payload).nonce;
  frames.send({.seq = 2, .nonce = nonce, .payload = encode_plain(Verb::load, 20'000)},
              host::after_ms(1000));
  const RunRequest request{.inputs = LoadReply::decode(answer_to(2).payload).inputs};
  frames.send({.seq = 3, .nonce = nonce, .payload = request.encode(60'000)}, host::after_ms(1000));
  frames.send({.type = host::FrameType::data,
               .flags = host::kFrameLast,
               .seq = 3,
               .nonce = nonce,
               .payload = bytes_of(std::vector<float>{2, 3})},
              host::after_ms(1000));
  ::usleep(300'000);
  frames.send({.type = host::FrameType::cancel, .seq = 3, .nonce = nonce}, host::after_ms(1000));
  EXPECT_EQ(ErrorNote::decode(answer_to(3).payload).code, ADZE_CANCELLED);
}

TEST_F(Board, garbage_ends_the_connection_and_not_the_agent) {
  std::mt19937 random(9);
  for (int round = 0; round < 20; ++round) {
    const auto link = board_.connect();
    std::vector<std::byte> noise(1 + random() % 5000);
    for (std::byte& b : noise) b = std::byte(random() & 255);
    link->write(noise, host::after_ms(1000));
  }
  BoardSession(board_.connect()).info();
}

TEST_F(Board, frames_with_any_payload_are_answered_or_ignored) {
  std::mt19937 random(4);
  const auto link = board_.connect();
  FrameLink frames(*link);
  for (int round = 0; round < 200; ++round) {
    host::Frame frame{.type = static_cast<host::FrameType>(1 + random() % 6),
                      .flags = static_cast<std::uint16_t>(random()),
                      .stream = static_cast<std::uint16_t>(random()),
                      .seq = static_cast<std::uint32_t>(random()),
                      .nonce = random() % 2,
                      .payload = encode_plain(static_cast<Verb>(random() % 12), 50)};
    if (random() % 2) frame.payload[random() % frame.payload.size()] = std::byte(random() & 255);
    frames.send(frame, host::after_ms(1000));
    while (frames.receive_before(host::after_ms(0))) {
    }
  }
  // A hello among the above may have taken the lease: this link may always say hello again.
  frames.send({.seq = 1, .payload = HelloRequest{.client = "me"}.encode(1000)},
              host::after_ms(1000));
  for (;;) {
    const host::Frame answer = frames.receive(host::after_ms(5000));
    if (answer.seq != 1 || answer.type != host::FrameType::response) continue;
    EXPECT_EQ(HelloReply::decode(answer.payload).board, "sim-01");
    return;
  }
}

TEST(AgentProgram, ends_cleanly_and_refuses_a_root_that_is_in_use) {
  const host::TemporaryDirectory directory;
  const auto socket = directory.path() / "a.sock";
  ProgramBoard board(directory.path() / "root", socket);
  BoardSession session(board.connect());
  session.info();
  ProgramBoard second(directory.path() / "root", directory.path() / "b.sock");
  second.end(0);
  EXPECT_TRUE(WIFEXITED(second.status()) && WEXITSTATUS(second.status()) == 2);
  session.info();
  board.end(SIGTERM);
  EXPECT_TRUE(WIFEXITED(board.status()) && WEXITSTATUS(board.status()) == 0);
  EXPECT_FALSE(std::filesystem::exists(socket));
}

TEST(SharedBuffer, refuses_memory_that_is_not_sealed_or_has_another_size) {
  host::TemporaryDirectory directory;
  const auto path = directory.path() / "file";
  host::write_file(path, std::string_view("12345678"));
  EXPECT_THROW(host::SharedBuffer(host::OwnedFd(::open(path.c_str(), O_RDONLY)), 8), host::Error);
  const auto bytes = bytes_of("12345678");
  EXPECT_THROW(host::SharedBuffer(host::share(bytes), 7), host::Error);
  const host::SharedBuffer good(host::share(bytes), 8);
  EXPECT_TRUE(std::ranges::equal(good.bytes(), bytes));
}

}  // namespace
}  // namespace adze::hil::test
