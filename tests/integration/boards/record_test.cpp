// A session recorded, and gone through again without its board.
#include "tests/integration/boards/sim_board.hpp"

namespace adze::hil::test {
namespace {

using testing::HasSubstr;

std::vector<std::string> lines_of(const std::filesystem::path& file) {
  std::istringstream text(host::read_text_file(file));
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  return lines;
}

void write_lines(const std::filesystem::path& file, const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  host::write_file(file, text);
}

class Record : public testing::Test {
 protected:
  std::filesystem::path file() const { return lab_.path() / "session.jsonl"; }
  adze::test::Outcome record(std::vector<std::string> arguments,
                             const std::vector<std::string>& faults = {}) {
    lab_.list_board("b");
    std::vector<std::string> options;
    for (const std::string& fault : faults) options.insert(options.end(), {"--fault", fault});
    const Started board = lab_.sim("b", options);
    if (faults.empty()) {
      EXPECT_EQ(lab_.run({"board", "flash", "b", lab_.bundle("ok").string()}).exit_code, 0);
    }
    arguments.insert(arguments.begin(), {"--json", "record", file().string()});
    return lab_.run(arguments);
  }
  adze::test::Outcome replay() const {
    lab_.inventory("");
    return lab_.run({"--json", "replay", file().string()});
  }
  Lab lab_;
};

TEST_F(Record, a_measurement_is_the_same_without_its_board) {
  const auto recorded = record({"board", "bench", "b", "--samples", "50", "--warmup-ms", "1"});
  ASSERT_EQ(recorded.exit_code, 0) << recorded.err;
  const auto replayed = replay();
  EXPECT_EQ(replayed.exit_code, 0) << replayed.err;
  EXPECT_EQ(replayed.out, recorded.out);
}

TEST_F(Record, faults_of_the_link_are_met_again) {
  const auto recorded = record({"board", "flash", "b", lab_.bundle("ok", 3u << 20).string()},
                               {"disconnect=2500000", "short_read=0.2"});
  ASSERT_EQ(recorded.exit_code, 0) << recorded.err;
  EXPECT_THAT(recorded.out, HasSubstr("lost the board"));
  const auto replayed = replay();
  EXPECT_EQ(replayed.exit_code, 0) << replayed.err;
  EXPECT_EQ(replayed.out, recorded.out);
}

TEST_F(Record, a_command_that_failed_fails_as_it_did) {
  const auto recorded =
      record({"board", "flash", "b", lab_.bundle("ok", 1000).string()}, {"lie_hash"});
  ASSERT_EQ(recorded.exit_code, 75);
  const auto replayed = replay();
  EXPECT_EQ(replayed.exit_code, 75);
  EXPECT_EQ(replayed.err.substr(replayed.err.find("error")),
            recorded.err.substr(recorded.err.find("error")));
}

TEST_F(Record, a_host_that_sends_something_else_is_told_where) {
  const std::string bundle = lab_.bundle("ok", 1000).string();
  ASSERT_EQ(record({"board", "flash", "b", bundle}).exit_code, 0);
  host::write_file(bundle, echo_bundle("ok", 2000));
  const auto replayed = replay();
  EXPECT_EQ(replayed.exit_code, 1);
  EXPECT_THAT(replayed.err, HasSubstr("diverges at line"));
  EXPECT_THAT(replayed.err, HasSubstr("request 'flash_begin'"));
  EXPECT_THAT(replayed.err, HasSubstr("is another file than it was"));
}

TEST_F(Record, what_is_missing_at_the_end_or_in_between_is_a_divergence) {
  ASSERT_EQ(record({"board", "info", "b"}).exit_code, 0);
  const std::vector<std::string> whole = lines_of(file());
  ASSERT_GT(whole.size(), 10u);
  for (const std::size_t left_out : {std::size_t{1}, std::size_t{2}, whole.size() - 1}) {
    std::vector<std::string> lines = whole;
    lines.erase(lines.begin() + static_cast<std::ptrdiff_t>(left_out));
    write_lines(file(), lines);
    const auto replayed = replay();
    EXPECT_EQ(replayed.exit_code, 1) << left_out;
    EXPECT_THAT(replayed.err, HasSubstr("diverges at line " + std::to_string(left_out + 1)));
  }
}

TEST_F(Record, what_was_said_on_the_link_when_a_session_was_kept_is_said_today) {
  const auto replayed = lab_.run(
      {"--json", "replay", (adze::test::source_dir() / "fixtures/sessions/bench.jsonl").string()});
  EXPECT_EQ(replayed.exit_code, 0) << replayed.err;
  const auto document = nlohmann::json::parse(replayed.out, nullptr, false);
  ASSERT_TRUE(document.is_object());
  EXPECT_EQ(document["n"], 50);
  EXPECT_EQ(document["conditions"]["link_faults"].size(), 1u);
}

TEST_F(Record, files_that_are_no_recordings_are_refused_by_line) {
  const auto refused = [&](const std::string& text, const std::string& why) {
    host::write_file(file(), text);
    const auto outcome = replay();
    EXPECT_EQ(outcome.exit_code, 2) << text;
    EXPECT_THAT(outcome.err, HasSubstr(why));
  };
  const std::string head =
      R"({"adze_recording": 1, "adze": "0", "arguments": ["board", "list"], "files": {}})"
      "\n";
  refused("", "the file is empty");
  refused("hello\n", "line 1");
  refused(R"({"adze_recording": 2})"
          "\n",
          "this version reads 1");
  refused(head + "{}\n", "line 2: no event of a recording");
  refused(head + R"({"flew": {}})"
                 "\n",
          "no event is called 'flew'");
  refused(head + R"({"received": "?"})"
                 "\n",
          "no base64");
  refused(head + R"({"exit": "0"})"
                 "\n",
          "line 2");
}

TEST_F(Record, a_token_does_not_get_into_a_recording) {
  host::write_file(lab_.path() / "token", std::string("a-secret-of-sixteen"));
  ::chmod((lab_.path() / "token").c_str(), 0600);
  const Started board =
      lab_.sim("b", {"--tcp", "0", "--token-file", (lab_.path() / "token").string()});
  const std::string log = host::read_text_file(lab_.path() / "b.log");
  const std::string port = log.substr(log.find("tcp:127.0.0.1:"));
  const std::string address = port.substr(0, port.find_first_of(" \n,"));
  const auto outcome = lab_.run({"record", file().string(), "board", "info", address});
  EXPECT_EQ(outcome.exit_code, 2) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("token would be in the file"));
  EXPECT_EQ(host::read_text_file(file()).find("a-secret"), std::string::npos);
}

}  // namespace
}  // namespace adze::hil::test
