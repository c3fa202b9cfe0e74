// Many inferences over each link while one frame in a hundred goes wrong: every result is there,
// once, and belongs to its input.
#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>

#include "hil/link/tcp_link.hpp"
#include "hil/measure/statistics.hpp"
#include "tests/integration/boards/ssh_daemon.hpp"

namespace adze::hil::test {
namespace {

/// ADZE_SOAK_INFERENCES=10000 makes the long run.
int inferences() {
  const char* text = std::getenv("ADZE_SOAK_INFERENCES");
  return text ? std::atoi(text) : 200;
}

const std::vector<std::string> kFaults{"drop=0.0025", "duplicate=0.0025", "reorder=0.0025",
                                       "corrupt=0.0025"};

double resident_mib(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/statm");
  double total = 0, resident = 0;
  status >> total >> resident;
  return resident * static_cast<double>(::sysconf(_SC_PAGESIZE)) / (1 << 20);
}

/// Short waits: what is lost is asked for again soon.
SessionTimeouts impatient() {
  SessionTimeouts timeouts{.attempts = 20, .recover_ms = 30'000};
  timeouts.hello_ms = 2'000;
  timeouts.silence_ms = 1'100;  // heartbeats come twice a second
  return timeouts;
}

void soak(const char* name, BoardSession& session, const std::vector<pid_t>& watched) {
  const int count = inferences();
  const std::vector<TensorSpec> specs = install(session, echo_bundle("ok")).inputs;
  std::vector<double> before;
  std::size_t recovered = 0;
  for (int i = 0; i < count; ++i) {
    if (i == count / 5)
      for (const pid_t pid : watched) before.push_back(resident_mib(pid));
    const auto x = static_cast<float>(2 + i);
    const host::Tensor input = samples({x, -x});
    const RunResult result = session.run(specs, std::span(&input, 1));
    ASSERT_EQ(result.outputs.size(), 1u) << i;
    ASSERT_THAT(result.outputs[0].tensor.as<float>(), testing::ElementsAre(2 * x, -2 * x)) << i;
    ASSERT_EQ(result.times_ns.size(), 1u) << i;
  }
  recovered = session.recovered().size();
  std::printf("%s: %d inferences, every result right; %zu faults got over", name, count, recovered);
  for (std::size_t i = 0; i < watched.size(); ++i) {
    const double after = resident_mib(watched[i]);
    std::printf("; resident memory %.1f -> %.1f MiB", before[i], after);
    EXPECT_LE(after, before[i] * 1.05 + 0.5) << "a leak";
  }
  std::printf("\n");
  EXPECT_GT(recovered, 0u);
}

std::vector<std::string> fault_arguments() {
  std::vector<std::string> arguments;
  for (const std::string& fault : kFaults) arguments.insert(arguments.end(), {"--fault", fault});
  return arguments;
}

TEST(Soak, over_a_local_socket) {
  const Lab lab;
  const Started board = lab.sim("soak", fault_arguments());
  const auto socket = lab.path() / "adze" / "soak.sock";
  BoardSession session([&](Deadline d) { return connect_unix(socket, "soak", d); }, impatient());
  soak("local socket", session, {board.pid(), ::getpid()});
}

TEST(Soak, over_tcp) {
  const Lab lab;
  const std::string token(32, 'x');
  host::write_file(lab.path() / "token", token);
  ::chmod((lab.path() / "token").c_str(), 0600);
  std::vector<std::string> arguments = fault_arguments();
  arguments.insert(arguments.end(),
                   {"--tcp", "0", "--token-file", (lab.path() / "token").string()});
  const Started board = lab.sim("soak", arguments);
  const std::string log = host::read_text_file(lab.path() / "soak.log");
  const std::size_t at = log.find("tcp:") + 4;
  const std::string address = log.substr(at, log.find('\n', at) - at);
  BoardSession session([&](Deadline d) { return connect_tcp(address, token, d); }, impatient());
  soak("TCP", session, {board.pid(), ::getpid()});
}

TEST(Soak, over_ssh) {
  if (!SshDaemon::can_run()) GTEST_SKIP() << "openssh-server is not installed";
  const Lab lab;
  std::string faults;
  for (const std::string& fault : kFaults) faults += " --fault " + fault;
  const SshDaemon daemon(lab.path() / "ssh", stdio_agent(lab.path() / "far", faults));
  ::setenv("ADZE_SSH_CONFIG", daemon.config().c_str(), 1);
  SessionTimeouts timeouts = impatient();
  timeouts.hello_ms = 20'000;
  // Each recovery is a new ssh, whose memory is not ours to judge.
  BoardSession session = BoardSession::open("ssh:lab", timeouts);
  soak("ssh", session, {::getpid()});
}

TEST(Overhead, of_the_host_per_inference_over_the_local_socket) {
  const host::TemporaryDirectory folder;
  ProgramBoard board(folder.path() / "root", folder.path() / "a.sock");
  BoardSession session(board.connect());
  const std::vector<TensorSpec> specs = install(session, echo_bundle("ok")).inputs;
  const host::Tensor input = samples({2, 3});
  std::vector<double> overhead_us;
  for (int i = 0; i < 3000; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    const RunResult result = session.run(specs, std::span(&input, 1));
    const double whole =
        std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count();
    if (i >= 200) overhead_us.push_back(whole - static_cast<double>(result.times_ns[0]) / 1000);
  }
  const std::vector<double> order = sorted(overhead_us);
  std::printf("host overhead per inference: median %.1f us, p90 %.1f us\n", quantile(order, 0.5),
              quantile(order, 0.9));
  // What is asked of a quiet machine is 150; a crowded one must not be ten times as slow.
  EXPECT_LT(quantile(order, 0.5), 1500);
}

}  // namespace
}  // namespace adze::hil::test
