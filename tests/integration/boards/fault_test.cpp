// Each thing that can go wrong on a board or on the way to it, asked for by the command, met by it.
#include "tests/integration/boards/sim_board.hpp"

namespace adze::hil::test {
namespace {

using testing::HasSubstr;
using testing::Not;

class Fault : public testing::Test {
 protected:
  void start(const std::vector<std::string>& faults, const std::vector<std::string>& more = {}) {
    lab_.list_board("b");
    std::vector<std::string> arguments = more;
    for (const std::string& fault : faults) arguments.insert(arguments.end(), {"--fault", fault});
    board_.emplace(lab_.sim("b", arguments));
  }
  adze::test::Outcome flash(std::size_t ballast = 0) {
    return lab_.run({"--json", "board", "flash", "b", lab_.bundle("ok", ballast).string()});
  }
  adze::test::Outcome bench(const std::vector<std::string>& more = {}, int samples = 100,
                            const std::string& cool_down_s = "5") {
    std::vector<std::string> arguments{
        "--json",      "board", "bench",         "b",        "--samples", std::to_string(samples),
        "--warmup-ms", "5",     "--cool-down-s", cool_down_s};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return lab_.run(arguments);
  }
  /// What a successful command had to get over.
  static std::vector<std::string> faults_in(const adze::test::Outcome& outcome) {
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    const auto document = nlohmann::json::parse(outcome.out, nullptr, false);
    if (document.is_discarded()) return {};
    const auto& where = document.contains("conditions") ? document["conditions"] : document;
    return where["link_faults"];
  }
  Lab lab_;
  std::optional<Started> board_;
};

TEST_F(Fault, frames_that_come_twice_late_in_pieces_or_in_another_order_change_nothing) {
  start({"duplicate=0.2", "delay=0.1:2", "short_read=0.1"});
  EXPECT_TRUE(faults_in(flash(3u << 20)).empty());
  EXPECT_TRUE(faults_in(bench()).empty());
}

TEST_F(Fault, a_cable_that_is_pulled_during_a_flash_lets_it_go_on_where_it_was) {
  start({"disconnect=2500000"});
  const auto outcome = flash(4u << 20);
  const auto faults = faults_in(outcome);
  ASSERT_EQ(faults.size(), 1u);
  EXPECT_THAT(faults[0], HasSubstr("lost the board"));
  const auto sent = nlohmann::json::parse(outcome.out)["sent_bytes"].get<std::size_t>();
  EXPECT_LT(sent, 3u << 20) << "the second attempt began anew";
  bench();
}

TEST_F(Fault, a_link_on_which_nothing_moves_is_opened_again) {
  start({"stall=8"});
  EXPECT_EQ(faults_in(flash(1u << 20)).size(), 1u);
}

TEST_F(Fault, a_board_that_lies_about_a_hash_is_not_believed) {
  start({"lie_hash"});
  const auto outcome = flash();
  EXPECT_EQ(outcome.exit_code, 75);
  EXPECT_THAT(outcome.err, HasSubstr("says it stored bundle"));
  EXPECT_THAT(lab_.run({"board", "info", "b"}).out, Not(HasSubstr("(active)")));
}

TEST_F(Fault, a_full_disk_is_a_fault_of_the_rig) {
  start({"full_disk=1000000"});
  const auto outcome = flash(2u << 20);
  EXPECT_EQ(outcome.exit_code, 75);
  EXPECT_THAT(outcome.err, HasSubstr("No space left"));
  EXPECT_EQ(flash(1000).exit_code, 0);
}

TEST_F(Fault, a_throttled_run_is_made_again_and_told_when_it_stays_so) {
  start({"throttle=1.5:0"}, {"--pace", "1"});
  EXPECT_EQ(flash().exit_code, 0);
  const auto outcome = bench({"--attempts", "2"}, 100, "0");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto conditions = nlohmann::json::parse(outcome.out)["conditions"];
  EXPECT_EQ(conditions["attempts"], 2);
  EXPECT_THAT(conditions["throttled"].dump(), HasSubstr("97 degrees"));
  EXPECT_THAT(lab_.run({"board", "bench", "b", "--samples", "10", "--cool-down-s", "0"}).out,
              HasSubstr("THROTTLED"));
}

TEST_F(Fault, a_board_that_cools_down_is_measured_again) {
  // Hot from inference 60 on until it rested half a second: 50 samples end before that.
  start({"throttle=1.5:60:500"}, {"--pace", "1"});
  EXPECT_EQ(flash().exit_code, 0);
  const auto first = bench({}, 50);
  EXPECT_EQ(nlohmann::json::parse(first.out)["conditions"]["throttled"].size(), 0u) << first.err;
  const auto second = bench({}, 50);
  EXPECT_EQ(nlohmann::json::parse(second.out)["conditions"]["throttled"].size(), 0u) << second.err;
}

TEST_F(Fault, an_agent_that_hangs_is_asked_again_in_a_new_session) {
  start({"hang=1"});
  EXPECT_EQ(flash().exit_code, 0);
  const auto faults = faults_in(bench());
  ASSERT_EQ(faults.size(), 1u);
  EXPECT_THAT(faults[0], HasSubstr("did not answer in time"));
}

TEST_F(Fault, a_board_that_reboots_is_waited_for_and_has_another_boot_id) {
  start({"reboot=1"});
  EXPECT_EQ(flash().exit_code, 0);
  const auto boot = [this] { return lab_.json({"board", "info", "b"})["boot_id"]; };
  const auto before = boot();
  EXPECT_EQ(faults_in(bench()).size(), 1u);
  EXPECT_NE(boot(), before);
}

TEST_F(Fault, paces_are_kept) {
  start({}, {"--pace", "3:0.01"});
  EXPECT_EQ(flash().exit_code, 0);
  const double median = nlohmann::json::parse(bench().out)["median_ms"];
  EXPECT_NEAR(median, 3, 0.5);
}

TEST_F(Fault, that_does_not_exist_is_named_with_the_nearest) {
  const auto sim = [this](const char* fault) {
    return lab_.run({"board", "sim", "b", "--fault", fault});
  };
  const auto outcome = sim("dropp=0.1");
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("did you mean 'drop'"));
  for (const char* fault :
       {"drop=2", "drop", "delay=0.1:x", "stall=-1", "lie_hash=1", "throttle=0.5", "wrong_layer"})
    EXPECT_EQ(sim(fault).exit_code, 2) << fault;
  EXPECT_EQ(lab_.run({"board", "sim", "b", "--pace", "fast"}).exit_code, 2);
}

TEST_F(Fault, a_slower_bundle_is_found_by_ab_and_an_equal_one_is_not) {
  start({}, {"--pace", "predicted:0.01"});
  const auto made = [this](const char* name, double predicted_ms) {
    const auto bytes = echo_bundle("ok", 0, "rzv2h", predicted_ms);
    host::write_file(lab_.path() / name, bytes);
    return (lab_.path() / name).string();
  };
  const std::string a = made("a.adze", 2), slower = made("b.adze", 2.12),
                    equal = made("c.adze", 2.0001);
  const auto raw = (lab_.path() / "raw.jsonl").string();
  const auto compare = [&](const std::string& b, const std::vector<std::string>& more) {
    std::vector<std::string> arguments{
        "--json", "board",     "ab", "b",           a,  b, "--repetitions",
        "9",      "--samples", "20", "--warmup-ms", "2"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return lab_.run(arguments);
  };
  const auto found = compare(slower, {"--max-slowdown", "0.02", "--raw", raw});
  EXPECT_EQ(found.exit_code, 1) << found.err;
  const auto document = nlohmann::json::parse(found.out);
  EXPECT_EQ(document["verdict"], "FAIL");
  EXPECT_NEAR(document["shift"].get<double>(), 0.06, 0.03);
  EXPECT_EQ(document["repetitions_a_ms"].size(), 9u);
  // The stored raw times say the same again.
  const auto again = lab_.json({"board", "stats", raw});
  EXPECT_EQ(again["p"], document["p"]);
  EXPECT_EQ(again["shift"], document["shift"]);
  const auto same = compare(equal, {"--max-slowdown", "0.02"});
  EXPECT_EQ(same.exit_code, 0) << same.out << same.err;
}

}  // namespace
}  // namespace adze::hil::test
