// One session code over every link: TCP on loopback, ssh.
#include "hil/link/faulty_link.hpp"
#include "hil/link/ssh_link.hpp"
#include "hil/link/tcp_link.hpp"
#include "hil/link/token.hpp"
#include "tests/integration/boards/ssh_daemon.hpp"

namespace adze::hil::test {
namespace {

using testing::HasSubstr;

constexpr const char* kToken = "0123456789abcdef0123456789abcdef";

void write_secret(const std::filesystem::path& file, const std::string& text) {
  host::write_file(file, text);
  std::filesystem::permissions(
      file, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

class Tcp : public testing::Test {
 protected:
  Tcp() { write_secret(lab_.path() / "token", std::string(kToken) + "\n"); }
  /// The address it says it listens at.
  std::string start() {
    board_.emplace(lab_.sim("t", {"--tcp", "0", "--token-file", (lab_.path() / "token").string()}));
    const std::string log = host::read_text_file(lab_.path() / "t.log");
    const std::size_t at = log.find("tcp:127.0.0.1:");
    EXPECT_NE(at, std::string::npos) << log;
    return log.substr(at, log.find('\n', at) - at);
  }
  Lab lab_;
  std::optional<Started> board_;
};

TEST_F(Tcp, carries_a_flash_and_a_run) {
  const std::string address = start();
  EXPECT_EQ(lab_.run({"board", "flash", address, lab_.bundle("ok", 3u << 20).string()}).exit_code,
            0);
  EXPECT_EQ(lab_.json({"board", "bench", address, "--samples", "20"})["n"], 20);
}

TEST_F(Tcp, clients_without_the_token_get_nothing) {
  const std::string address = start();
  write_secret(lab_.path() / "token", "fedcba9876543210fedcba9876543210\n");
  const auto refused = lab_.run({"board", "info", address});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err, HasSubstr("does not know this token"));
  // Nor does one that skips the hello.
  const auto link = connect_tcp(address.substr(4), kToken, host::after_ms(2000));
  FrameLink frames(*link);
  frames.send({.seq = 1, .payload = encode_plain(Verb::slots, 1000)}, host::after_ms(1000));
  EXPECT_EQ(frames.receive(host::after_ms(5000)).type, host::FrameType::error);
  write_secret(lab_.path() / "token", kToken);
  EXPECT_EQ(lab_.run({"board", "info", address}).exit_code, 0);
}

TEST_F(Tcp, a_token_that_others_can_read_or_that_is_short_is_refused_on_both_sides) {
  const std::string address = start();
  std::filesystem::permissions(lab_.path() / "token", std::filesystem::perms::group_read,
                               std::filesystem::perm_options::add);
  const auto refused = lab_.run({"board", "info", address});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err, HasSubstr("chmod 600"));
  const auto sim = [this] {
    return adze::test::run_program(
        lab_.sim_arguments("u", {"--tcp", "0", "--token-file", (lab_.path() / "token").string()}),
        std::chrono::seconds(60), lab_.environment);
  };
  EXPECT_THAT(sim().err, HasSubstr("chmod 600"));
  write_secret(lab_.path() / "token", "short");
  EXPECT_THAT(sim().err, HasSubstr("16 to 256"));
  EXPECT_THAT(lab_.run({"board", "sim", "u", "--tcp", "0"}).err, HasSubstr("--token-file"));
}

TEST_F(Tcp, goes_no_farther_than_this_machine) {
  for (const char* address :
       {"tcp:10.0.0.1:99", "tcp:example.com:99", "tcp:0.0.0.0:99", "tcp:[::]:99", "tcp:127.0.0.1",
        "tcp:127.0.0.1:", "tcp:127.0.0.1:99999"}) {
    const auto refused = lab_.run({"board", "info", address});
    EXPECT_EQ(refused.exit_code, 2) << address;
    EXPECT_THAT(refused.err, HasSubstr("ssh:")) << address;
    EXPECT_THROW(TcpListener(std::string(address).substr(4), kToken), host::Error) << address;
  }
  EXPECT_EQ(lab_.run({"board", "info", "tcp:127.0.0.1:1"}).exit_code, 75);
}

TEST(Token, is_compared_whole) {
  EXPECT_TRUE(same_token(kToken, kToken));
  EXPECT_FALSE(same_token(kToken, std::string(kToken).substr(1)));
  EXPECT_FALSE(same_token(kToken, ""));
}

class Ssh : public testing::Test {
 protected:
  void SetUp() override {
    if (!SshDaemon::can_run()) GTEST_SKIP() << "openssh-server is not installed";
  }
  void start(const std::string& more = "") {
    daemon_.emplace(lab_.path() / "ssh", stdio_agent(lab_.path() / "far", more));
    lab_.environment.push_back("ADZE_SSH_CONFIG=" + daemon_->config());
  }
  Lab lab_;
  std::optional<SshDaemon> daemon_;
};

TEST_F(Ssh, starts_an_agent_flashes_and_runs) {
  start();
  const auto flashed =
      lab_.run({"board", "flash", "ssh:lab", lab_.bundle("ok", 3u << 20).string()});
  EXPECT_EQ(flashed.exit_code, 0) << flashed.err << daemon_->log();
  EXPECT_EQ(lab_.json({"board", "bench", "ssh:lab", "--samples", "20"})["n"], 20);
  lab_.inventory("[[board]]\nid = \"far\"\ntype = \"rzv2h\"\nlink = \"ssh:lab\"\n");
  EXPECT_THAT(lab_.run({"board", "info", "far"}).out, HasSubstr("simulated board far"));
}

TEST_F(Ssh, a_connection_that_breaks_is_made_again) {
  // In the second of two pieces; the next agent has the first already.
  start("--fault disconnect=700000");
  const auto flashed =
      lab_.json({"board", "flash", "ssh:lab", lab_.bundle("ok", 1000 << 10).string()});
  EXPECT_EQ(flashed["link_faults"].size(), 1u);
  EXPECT_LT(flashed["sent_bytes"], 700'000);
}

TEST_F(Ssh, says_what_ssh_said) {
  daemon_.emplace(lab_.path() / "ssh", "/nonexistent/adze-agent --stdio");
  lab_.environment.push_back("ADZE_SSH_CONFIG=" + daemon_->config());
  const auto lost = lab_.run({"board", "info", "ssh:lab"});
  EXPECT_EQ(lost.exit_code, 75);
  EXPECT_THAT(lost.err, testing::AllOf(HasSubstr("ssh said"), HasSubstr("adze-agent")));
}

TEST_F(Ssh, hands_over_to_the_agent_that_is_running) {
  const Started board = lab_.sim("s");
  const auto socket = lab_.path() / "adze" / "s.sock";
  daemon_.emplace(lab_.path() / "ssh",
                  stdio_agent(lab_.path() / "s.root", "--listen unix:" + socket.string()));
  lab_.environment.push_back("ADZE_SSH_CONFIG=" + daemon_->config());
  EXPECT_THAT(lab_.run({"board", "info", "ssh:lab"}).out, HasSubstr("simulated board s "));
}

TEST(SshDestination, cannot_become_an_option_or_a_command) {
  for (const char* bad :
       {"-oProxyCommand=x", "", "a b", "host;reboot", "$(x)", "host:", "host:2a", "host:123456"})
    EXPECT_THROW(ssh_arguments(bad), host::Error) << bad;
  const auto arguments = ssh_arguments("root@v2h.lab:2222");
  EXPECT_THAT(arguments, testing::IsSupersetOf({"BatchMode=yes", "2222", "--", "root@v2h.lab"}));
}

TEST(AgentProgramOptions, come_from_a_file_too) {
  const host::TemporaryDirectory folder;
  const auto file = folder.path() / "agent.conf";
  host::write_file(file, std::string_view("# a board\nroot /nonexistent/x\nboard-id from-file\n\n"
                                          "board-type rzv2h\nplugin p\ncomponent c\nlab\n"));
  const auto agent = (binary_dir() / "bin/adze-agent").string();
  const auto run = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {agent, "--config", file.string()});
    return adze::test::run_program(more);
  };
  EXPECT_THAT(run({}).err, HasSubstr("--listen, --usb or --stdio"));
  EXPECT_THAT(run({"--stdio", "--fault", "drop=1"}).err, HasSubstr("--simulated"));
  EXPECT_THAT(run({"--listen", "tcp:127.0.0.1:0"}).err, HasSubstr("--token-file"));
  EXPECT_THAT(run({"--listen", "tcp:0.0.0.0:0", "--token-file", "/nonexistent"}).err,
              HasSubstr("adze-agent:"));
  EXPECT_EQ(
      adze::test::run_program({agent, "--config", "/nonexistent/agent.conf", "--stdio"}).exit_code,
      2);
}

}  // namespace
}  // namespace adze::hil::test
