// adze.mera in a board's worker, with a stand-in of the vendor's runtime.
#include "tests/unit/agent/board_fixture.hpp"

namespace adze::hil::test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// What adze.drpai_tvm makes, for the stand-in: mera.plan says what to do.
std::vector<std::byte> compiled(const std::string& mode, const std::string& file = "mera.plan") {
  const TensorSpec in{.name = "x", .dtype = host::DType::f32, .shape = {1, 2}, .batch_axis = 0};
  const TensorSpec out{.name = "y", .dtype = in.dtype, .shape = in.shape, .batch_axis = 0};
  return make_bundle({.board_type = "rzv2h",
                      .backend = "adze.drpai_tvm",
                      .model = "model-" + mode,
                      .inputs = {in},
                      .outputs = {out},
                      .nodes = {"conv"}},
                     {{"artifacts/model/" + file, bytes_of(mode)},
                      {"artifacts/model/sub_1_DRP_REENSAS/deploy.so", bytes_of("ELF")},
                      {"artifacts/toolchain.json", bytes_of("{}")}});
}

class Mera : public testing::Test {
 protected:
  /// A board whose agent has this plugin; `settings` as --set has them.
  std::unique_ptr<LocalBoard> board(std::vector<std::string> settings = {"start_address=4096"}) {
    AgentOptions options = agent_options(directory_.path() / "root");
    const auto installation = binary_dir() / "tests" / "mera";
    options.worker.program = installation / "bin" / "adze-worker";
    options.worker.plugin = installation / "lib/adze/plugins/adze_mera.so";
    options.worker.component = "adze.mera";
    options.worker.settings = std::move(settings);
    return std::make_unique<LocalBoard>(options);
  }
  static std::vector<float> run(BoardSession& session, const std::vector<float>& input) {
    const host::Tensor tensor = samples(input);
    const auto specs = session.load().inputs;
    const auto values = session.run(specs, std::span(&tensor, 1)).outputs.at(0).tensor;
    return {values.as<float>().begin(), values.as<float>().end()};
  }
  Failure failure_when_run(const std::string& mode, SessionTimeouts timeouts = {}) {
    const auto made = board();
    BoardSession session(made->connect(), timeouts);
    return failure_of([&] {
      install(session, compiled(mode));
      run(session, {1, 2});
    });
  }
  host::TemporaryDirectory directory_;
};

TEST_F(Mera, runs_what_was_compiled_and_widens_16_bit_outputs) {
  const auto made = board();
  BoardSession session(made->connect());
  install(session, compiled("double"));
  EXPECT_THAT(run(session, {1.5f, -3}), ElementsAre(3, -6));
  EXPECT_THAT(run(session, {0, 1000, 4, 5}), ElementsAre(0, 2000, 8, 10)) << "one at a time";
}

TEST_F(Mera, narrows_inputs_of_models_that_take_16_bits) {
  const auto made = board();
  BoardSession session(made->connect());
  install(session, compiled("half"));
  // 2049 lies between two halves and goes to the even one.
  EXPECT_THAT(run(session, {2049, -0.3333f}), ElementsAre(4096, -0.66650390625f));
}

TEST_F(Mera, chooses_the_clock) {
  const auto made = board({"start_address=4096", "freq_index=5"});
  BoardSession session(made->connect());
  install(session, compiled("clock"));
  EXPECT_THAT(run(session, {0, 0}), ElementsAre(5, 5));
}

TEST_F(Mera, profiles_by_part_as_csv_or_as_lines) {
  const auto made = board();
  BoardSession session(made->connect());
  install(session, compiled("double"));
  run(session, {1, 2});
  auto rows = session.profile();
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].engine, "drp-ai");
  EXPECT_DOUBLE_EQ(rows[0].latency_ms, 1.5);
  EXPECT_EQ(rows[1].engine, "cpu0");
  EXPECT_FALSE(rows[1].predicted);
  install(session, compiled("half"));
  run(session, {1, 2});
  rows = session.profile();
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].engine, "unit 0");
  EXPECT_DOUBLE_EQ(rows[0].latency_ms, 1.2505);
}

TEST_F(Mera, without_a_driver_says_so) {
  const auto made = board({"device=/nowhere/drpai0"});
  BoardSession session(made->connect());
  const Failure failure = failure_of([&] { install(session, compiled("double")); });
  EXPECT_THAT(failure.text, AllOf(HasSubstr("/nowhere/drpai0"), HasSubstr("start_address")));
}

TEST_F(Mera, bundles_of_other_compilers_are_told_apart) {
  const auto made = board();
  BoardSession session(made->connect());
  const Failure failure = failure_of([&] { install(session, compiled("double", "program.cbor")); });
  EXPECT_EQ(failure.code, ADZE_DATA_LOSS);
  EXPECT_THAT(failure.text, HasSubstr("--backend drpai_tvm"));
}

TEST_F(Mera, what_the_runtime_refuses_or_throws_reaches_the_user) {
  EXPECT_THAT(failure_when_run("refuse").text, HasSubstr("the vendor's runtime does not load"));
  EXPECT_THAT(failure_when_run("throw_load").text, HasSubstr("deploy.so: cannot open"));
  EXPECT_THAT(failure_when_run("throw").text, HasSubstr("EBUSY"));
  EXPECT_THAT(failure_when_run("short_output").text, HasSubstr("with 1 elements"));
  EXPECT_THAT(failure_when_run("two_outputs").text, HasSubstr("has 2 outputs"));
  EXPECT_THAT(failure_when_run("odd_output").text, HasSubstr("not known here"));
}

TEST_F(Mera, a_runtime_that_crashes_or_hangs_costs_one_run) {
  EXPECT_THAT(failure_when_run("crash").text, HasSubstr("signal 6"));
  SessionTimeouts timeouts;
  timeouts.run_ms = 400;
  const Failure failure = failure_when_run("hang", timeouts);
  EXPECT_EQ(failure.code, ADZE_DEADLINE_EXCEEDED);
  EXPECT_THAT(failure.text, HasSubstr("was killed"));
  const auto made = board();
  BoardSession session(made->connect());
  install(session, compiled("double"));
  EXPECT_THAT(run(session, {1, 2}), ElementsAre(2, 4));
}

}  // namespace
}  // namespace adze::hil::test
