// boards.toml, locks, and who may touch which board.
#include "hil/inventory/inventory.hpp"

#include "tests/integration/boards/sim_board.hpp"

namespace adze::hil::test {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* kWhole = R"([[board]]
id = "v2h-01"
type = "rzv2h"
link = "usb:LAB0001"
port = "1-2.3"
agent = "0.1.0"
console = "/dev/ttyUSB0"
owner = "anna"
notes = "left rack"
tags = ["fast", "camera"]
fixtures = ["hdmi"]
[board.power]
cycle = ["uhubctl", "-l", "1-2", "-p", "3", "-a", "cycle"]
boot_s = 40
[board.meter]
device = "/dev/ttyUSB1"
idle_s = 1.5
[board.quirks]
timeout_multiplier = 2.5
replug_s = 9
)";

Failure failure_in(const std::string& text) {
  return failure_of([&] { parse_inventory(text, "boards.toml"); });
}

TEST(Inventory, reads_all_there_is_to_say_about_a_board) {
  const Inventory inventory = parse_inventory(kWhole, "boards.toml");
  const InventoryBoard* board = inventory.find("v2h-01");
  ASSERT_NE(board, nullptr);
  EXPECT_EQ(inventory.find("usb:lab0001"), board) << "serial numbers are the same in either case";
  EXPECT_EQ(board->port, "1-2.3");
  EXPECT_EQ(board->agent_id, "v2h-01");
  EXPECT_EQ(board->tags, (std::vector<std::string>{"fast", "camera"}));
  EXPECT_EQ(board->power.cycle.size(), 7u);
  EXPECT_EQ(board->power.boot_s, 40);
  EXPECT_EQ(board->meter.device, "/dev/ttyUSB1");
  EXPECT_EQ(board->meter.idle_s, 1.5);
  EXPECT_EQ(board->timeout_multiplier, 2.5);
  EXPECT_EQ(inventory.find("v2h-02"), nullptr);
}

TEST(Inventory, says_where_it_is_wrong) {
  const std::string head = "[[board]]\nid = \"a\"\ntype = \"rzv2h\"\nlink = \"sim:a\"\n";
  EXPECT_THAT(failure_in(head + "owener = \"x\"\n").text,
              testing::AllOf(HasSubstr("boards.toml:5:"), HasSubstr("owner")));
  EXPECT_THAT(failure_in("[[board]]\nid = \"a\"\n").text, HasSubstr("type"));
  EXPECT_THAT(failure_in(head + head).text, HasSubstr("twice"));
  EXPECT_THAT(failure_in(head + "[[board]]\nid = \"b\"\ntype = \"t\"\nlink = \"SIM:A\"\n").text,
              HasSubstr("link"));
  EXPECT_THAT(failure_in(head + "port = \"1-2\"\n").text, HasSubstr("USB"));
  EXPECT_THAT(failure_in(head + "[board.power]\non = [\"x\"]\n").text, HasSubstr("cycle"));
  EXPECT_THAT(failure_in(head + "[board.meter]\n").text, HasSubstr("either `command`"));
  EXPECT_THAT(failure_in(head + "[board.meter]\ndevice = \"x\"\nidle_s = 0\n").text,
              HasSubstr("boards.toml:7:"));
  EXPECT_THAT(failure_in(head + "[board.power]\ncycle = \"uhubctl -a\"\n").text, HasSubstr("cycle"))
      << "a list of arguments, never a line for a shell";
  EXPECT_THAT(failure_in("[[board]]\nid = \"../a\"\ntype = \"t\"\nlink = \"sim:a\"\n").text,
              HasSubstr("no id"));
  EXPECT_THAT(failure_in("[[board]]\nid = \"a\"\ntype = \"t\"\nlink = \"gopher:a\"\n").text,
              HasSubstr("no link"));
}

TEST(Inventory, refuses_boards_that_cannot_be_told_apart_or_are_elsewhere) {
  const Inventory inventory = parse_inventory(kWhole, "boards.toml");
  const InventoryBoard& board = inventory.boards.at(0);
  const FoundBoard right{
      .address = "usb:LAB0001", .link = "usb", .serial = "LAB0001", .location = "1-2.3"};
  FoundBoard other = right;
  other.location = "1-4";
  check_place(board, {right});
  EXPECT_THAT(failure_of([&] { check_place(board, {right, other}); }).text, HasSubstr("2 boards"));
  EXPECT_THAT(failure_of([&] { check_place(board, {other}); }).text, HasSubstr("1-4"));
  HelloReply hello{.board = "v2h-01", .board_type = "rzv2h", .agent = "0.1.0"};
  check_identity(board, hello);
  hello.board_type = "rzv2l";
  EXPECT_EQ(failure_of([&] { check_identity(board, hello); }).exit, host::Exit::rig);
  hello.board_type = "rzv2h";
  hello.agent = "0.0.9";
  EXPECT_THAT(failure_of([&] { check_identity(board, hello); }).text, HasSubstr("0.0.9"));
}

TEST(InventoryCommand, nothing_is_written_to_a_board_that_is_another_than_listed) {
  const Lab lab;
  const Started board = lab.sim("real");
  lab.inventory("[[board]]\nid = \"v2h-01\"\ntype = \"rzv2h\"\nlink = \"sim:real\"\n");
  const auto refused = lab.run({"board", "flash", "v2h-01", lab.bundle().string()});
  EXPECT_EQ(refused.exit_code, 75);
  EXPECT_THAT(refused.err, testing::AllOf(HasSubstr("is not 'v2h-01'"), HasSubstr("real")));
  EXPECT_TRUE(std::filesystem::is_empty(lab.path() / "real.root" / "slots"));
  lab.inventory(
      "[[board]]\nid = \"v2h-01\"\ntype = \"rzv2h\"\nlink = \"sim:real\"\nagent_id = \"real\"\n");
  EXPECT_EQ(lab.run({"board", "flash", "v2h-01", lab.bundle().string()}).exit_code, 0);
  EXPECT_EQ(lab.run({"board", "bench", "v2h-01", "--samples", "5"}).exit_code, 0);
}

TEST(InventoryCommand, list_shows_what_is_there_and_who_has_it) {
  const Lab lab;
  const Started board = lab.sim("b");
  lab.inventory(
      "[[board]]\nid = \"b\"\ntype = \"rzv2h\"\nlink = \"sim:b\"\ntags = [\"quick\"]\n"
      "[[board]]\nid = \"c\"\ntype = \"rzv2h\"\nlink = \"sim:c\"\n");
  EXPECT_EQ(lab.run({"board", "lock", "c", "--reason", "night run"}).exit_code, 0);
  const auto listed = lab.json({"board", "list"})["inventory"];
  ASSERT_EQ(listed.size(), 2u);
  EXPECT_EQ(listed[0]["state"], "there");
  EXPECT_TRUE(listed[0]["lock"].is_null());
  EXPECT_EQ(listed[1]["state"], "not there");
  EXPECT_EQ(listed[1]["lock"]["reason"], "night run");
  EXPECT_THAT(lab.run({"board", "list"}).out,
              testing::AllOf(HasSubstr("quick"), HasSubstr("locked by")));
}

TEST(InventoryCommand, a_locked_board_is_its_holders_until_it_expires) {
  Lab anna, bert;
  const Started board = anna.sim("b");
  anna.list_board("b");
  bert.environment = anna.environment;
  anna.environment.push_back("ADZE_HOLDER=anna@lab");
  bert.environment.push_back("ADZE_HOLDER=bert@lab");
  EXPECT_EQ(anna.run({"board", "lock", "b", "--hours", "1"}).exit_code, 0);
  for (const char* name : {"b", "sim:b"}) {
    const auto refused = bert.run({"board", "info", name});
    EXPECT_EQ(refused.exit_code, 75) << name;
    EXPECT_THAT(refused.err, testing::AllOf(HasSubstr("locked by anna@lab"), HasSubstr("UTC")));
  }
  EXPECT_EQ(anna.run({"board", "info", "b"}).exit_code, 0);
  EXPECT_EQ(bert.run({"board", "lock", "b"}).exit_code, 75);
  EXPECT_EQ(bert.run({"board", "unlock", "b"}).exit_code, 75);
  EXPECT_EQ(bert.run({"board", "unlock", "b", "--force"}).exit_code, 0);
  EXPECT_EQ(bert.run({"board", "info", "b"}).exit_code, 0);
  // One that expired, and one of before this machine was started, hold nobody off.
  EXPECT_EQ(anna.run({"board", "lock", "b"}).exit_code, 0);
  const auto file = anna.path() / "locks" / "b.lock";
  const std::string now = host::read_text_file(file);
  const auto with = [&](const char* key, const nlohmann::json& value) {
    auto lock = nlohmann::json::parse(now);
    lock[key] = value;
    host::write_file(file, lock.dump());
    return bert.run({"board", "info", "b"}).exit_code;
  };
  EXPECT_EQ(with("reason", "still"), 75);
  EXPECT_EQ(with("expires", 1000), 0);
  EXPECT_EQ(with("boot_id", "another"), 0);
  host::write_file(file, std::string_view("garbage"));
  EXPECT_EQ(bert.run({"board", "info", "b"}).exit_code, 2);
}

TEST(Power, is_what_the_board_shows_and_not_what_the_hook_returns) {
  const Lab lab;
  const auto start = [&lab] { return lab.sim("p"); };
  auto board = std::make_unique<Started>(start());
  const auto with = [&](const std::string& hook) {
    lab.inventory(
        "[[board]]\nid = \"p\"\ntype = \"rzv2h\"\nlink = \"sim:p\"\n[board.power]\nboot_s = "
        "2\ncycle = [" +
        hook + "]\n");
    return lab.run({"--json", "board", "power", "p"});
  };
  auto outcome = with("\"true\"");
  EXPECT_EQ(outcome.exit_code, 75);
  EXPECT_THAT(outcome.err, HasSubstr("was not restarted"));
  outcome = with("\"/bin/sh\", \"-c\", \"echo no such port; exit 3\"");
  EXPECT_EQ(outcome.exit_code, 75);
  EXPECT_THAT(outcome.err, HasSubstr("no such port"));
  // Arguments are no words of a shell.
  EXPECT_THAT(with("\"false; kill 1\"").err,
              HasSubstr("cannot start the power hook 'false; kill 1'"));
  outcome = with("\"kill\", \"-9\", \"" + std::to_string(board->pid()) + "\"");
  EXPECT_EQ(outcome.exit_code, 75);
  EXPECT_THAT(outcome.err, HasSubstr("did not come back"));
  board = std::make_unique<Started>(start());
  // A power switch that works: the agent goes, and another one starts.
  std::thread lab_technician([&] {
    siginfo_t ended{};
    ::waitid(P_PID, static_cast<id_t>(board->pid()), &ended, WEXITED | WNOWAIT);
    board = std::make_unique<Started>(start());
  });
  const pid_t before = board->pid();
  lab.inventory(
      "[[board]]\nid = \"p\"\ntype = \"rzv2h\"\nlink = \"sim:p\"\n[board.power]\nboot_s = "
      "30\ncycle = [\"kill\", \"-9\", \"" +
      std::to_string(before) + "\"]\n");
  outcome = lab.run({"--json", "board", "power", "p"});
  lab_technician.join();
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto document = nlohmann::json::parse(outcome.out, nullptr, false);
  EXPECT_NE(document["boot_id_before"], document["boot_id_after"]);
}

TEST(InventoryCommand, two_at_once_one_of_them_gets_the_lock) {
  Lab lab;
  lab.list_board("b");
  std::vector<int> codes(8);
  std::vector<std::thread> racers;
  for (std::size_t i = 0; i < codes.size(); ++i)
    racers.emplace_back([&, i] {
      auto environment = lab.environment;
      environment.push_back("ADZE_HOLDER=racer" + std::to_string(i));
      codes[i] =
          adze::test::adze({"board", "lock", "b"}, std::chrono::seconds(60), environment).exit_code;
    });
  for (std::thread& racer : racers) racer.join();
  EXPECT_EQ(std::count(codes.begin(), codes.end(), 0), 1);
  EXPECT_EQ(std::count(codes.begin(), codes.end(), 75), 7);
}

}  // namespace
}  // namespace adze::hil::test
