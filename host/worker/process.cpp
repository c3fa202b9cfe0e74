#include "host/worker/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "host/base/error.hpp"
#include "host/base/text.hpp"

namespace adze::host {
namespace {

constexpr std::size_t kMaxPrintedBytes = 8u << 10;
constexpr int kSocket = 3;
constexpr int kEndWaitMs = 2000;
constexpr int kDrainRounds = 64;

/// Between fork and exec of a program with threads: only system calls.
[[noreturn]] void become_worker(char* const* arguments, char* const* environment, int socket,
                                int printing, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);
  ::setpgid(0, 0);
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  const int null = ::open("/dev/null", O_RDWR);
  // Numbers above those they will get, so that no dup2 closes what a later one needs.
  const int safe_socket = ::fcntl(socket, F_DUPFD, 16), safe_print = ::fcntl(printing, F_DUPFD, 16);
  ::dup2(null, 0);
  ::dup2(safe_print, 1);
  ::dup2(safe_print, 2);
  ::dup2(safe_socket, kSocket);
  ::close_range(kSocket + 1, ~0u, 0);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execve(arguments[0], arguments, environment);
  ::_exit(127);
}

/// This process's environment with some variables replaced.
std::vector<std::string> environment_with(const std::vector<std::string>& replaced) {
  std::vector<std::string> all = replaced;
  for (char** entry = environ; *entry; ++entry) {
    const std::string_view text = *entry;
    const std::string_view name = text.substr(0, text.find('=') + 1);
    if (std::ranges::none_of(replaced, [&](const auto& each) { return each.starts_with(name); }))
      all.emplace_back(text);
  }
  return all;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

WorkerProcess::WorkerProcess(const std::filesystem::path& program,
                             std::vector<std::string> arguments,
                             const std::vector<std::string>& environment)
    : channel_(OwnedFd()) {
  if (::access(program.c_str(), X_OK))
    throw Error(ADZE_NOT_FOUND, "cannot start the worker '" + program.string() +
                                    "': " + std::strerror(errno) + "; check the installation");
  arguments.insert(arguments.begin(), program.string());
  arguments.insert(arguments.end(), {"--fd", std::to_string(kSocket)});
  std::vector<std::string> variables = environment_with(environment);
  const std::vector<char*> argv = pointers_to(arguments), envp = pointers_to(variables);

  auto [ours, theirs] = make_channel_pair();
  int printing[2];
  if (::pipe2(printing, O_CLOEXEC))
    throw Error(ADZE_RESOURCE_EXHAUSTED,
                std::string("cannot make a pipe: ") + std::strerror(errno));
  output_ = OwnedFd(printing[0]);
  const OwnedFd their_output(printing[1]);
  ::fcntl(output_.get(), F_SETFL, O_NONBLOCK);
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0)
    throw Error(ADZE_RESOURCE_EXHAUSTED,
                std::string("cannot start a worker: ") + std::strerror(errno));
  if (pid_ == 0) become_worker(argv.data(), envp.data(), theirs.get(), their_output.get(), parent);
  ::setpgid(pid_, pid_);  // whoever is first
  channel_ = Channel(std::move(ours));
}

WorkerProcess::~WorkerProcess() { kill(); }

void WorkerProcess::take_line(std::string_view line) {
  if (line.starts_with(kWorkerNote)) {
    if (note_.empty()) note_ = line.substr(1);
    return;
  }
  if (take_line_) take_line_(line);
  printed_.append(line).push_back('\n');
  if (printed_.size() > kMaxPrintedBytes) printed_.erase(0, printed_.size() - kMaxPrintedBytes);
}

void WorkerProcess::drain() {
  std::array<char, 65536> chunk;
  // Not without end: it may print faster than this reads.
  for (int round = 0; output_ && round < kDrainRounds; ++round) {
    const ssize_t got = ::read(output_.get(), chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return;
    if (got == 0) output_.reset();  // every copy of the other end is closed
    if (got <= 0) break;
    partial_line_.append(chunk.data(), static_cast<std::size_t>(got));
    std::size_t from = 0;
    for (std::size_t end; (end = partial_line_.find('\n', from)) != std::string::npos;
         from = end + 1)
      take_line(std::string_view(partial_line_).substr(from, end - from));
    partial_line_.erase(0, from);
    if (partial_line_.size() > kMaxPrintedBytes) take_line(std::exchange(partial_line_, {}));
  }
  if (!output_ && !partial_line_.empty()) take_line(std::exchange(partial_line_, {}));
}

std::int64_t WorkerProcess::computed_ms() const {
  clockid_t clock{};
  timespec used{};
  if (reaped_ || ::clock_getcpuclockid(pid_, &clock) || ::clock_gettime(clock, &used)) return 0;
  return std::int64_t{used.tv_sec} * 1000 + used.tv_nsec / 1'000'000;
}

std::optional<Frame> WorkerProcess::receive_before(Deadline deadline) {
  // Whatever is there already came with what was read before: look at both ends only when one has
  // something, so that an answer costs one poll() and one recvmsg().
  for (;;) {
    if (auto frame = channel_.next()) return frame;
    if (channel_.read_soon()) continue;
    std::array<pollfd, 2> files{{{.fd = channel_.fd(), .events = POLLIN, .revents = 0},
                                 {.fd = output_.get(), .events = POLLIN, .revents = 0}}};
    const auto left = std::min<std::int64_t>(remaining_ms(deadline), 1 << 30);
    const int ready = ::poll(files.data(), files.size(), static_cast<int>(left));
    if (ready == 0) return std::nullopt;
    if (ready < 0) continue;  // EINTR
    if (files[1].revents) drain();
    if (files[0].revents)
      channel_.read_now();
    else if (left == 0)
      return std::nullopt;
  }
}

bool WorkerProcess::reap(bool wait) {
  if (reaped_) return true;
  siginfo_t ended{};
  const int options = WEXITED | WNOWAIT | (wait ? 0 : WNOHANG);
  if (::waitid(P_PID, static_cast<id_t>(pid_), &ended, options) || ended.si_pid != pid_)
    return false;
  // What it started goes too. Before waitpid(): until then nobody else can get its number.
  ::kill(-pid_, SIGKILL);
  reaped_ = ::waitpid(pid_, &status_, 0) == pid_;
  return reaped_;
}

void WorkerProcess::kill() {
  if (reaped_) return;
  ::kill(-pid_, SIGKILL);
  ::kill(pid_, SIGKILL);
  while (!reap(true)) {
  }
}

std::string WorkerProcess::last_words() {
  drain();
  std::string text = printed_ + partial_line_;
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.pop_back();
  constexpr std::size_t kShown = 600;
  if (text.size() > kShown) text = "..." + text.substr(text.size() - kShown);
  return text.empty() ? "" : "; its last words: " + one_line(text);
}

WorkerEnd WorkerProcess::end() {
  const Deadline deadline = after_ms(kEndWaitMs);
  while (!reap(false) && remaining_ms(deadline) > 0) {
    drain();
    ::usleep(2000);
  }
  drain();
  if (!reaped_) {
    kill();
    return {.alive = true};
  }
  return {.signal = WIFSIGNALED(status_) ? WTERMSIG(status_) : 0,
          .exit_code = WIFEXITED(status_) ? WEXITSTATUS(status_) : 0};
}

std::string WorkerProcess::describe_end() {
  const WorkerEnd how = end();
  if (how.alive) return "it closed its socket and did not end" + last_words();
  if (how.signal)
    return "it was killed by signal " + std::to_string(how.signal) + " (" +
           ::strsignal(how.signal) + ")" + (note_.empty() ? "" : ": " + note_) + last_words();
  return "it exited with " + std::to_string(how.exit_code) + last_words();
}

}  // namespace adze::host
