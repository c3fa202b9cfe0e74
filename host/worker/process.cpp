#include "host/worker/process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "host/base/error.hpp"

namespace adze::host {
namespace {

constexpr std::size_t kMaxPrintedBytes = 8u << 10;
constexpr int kSocket = 3;
constexpr int kEndWaitMs = 2000;

/// Between fork and exec of a program with threads: only system calls.
[[noreturn]] void become_worker(char* const* arguments, int socket, int printing, pid_t parent) {
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
  ::dup2(null, 1);
  ::dup2(safe_print, 2);
  ::dup2(safe_socket, kSocket);
  ::close_range(kSocket + 1, ~0u, 0);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execv(arguments[0], arguments);
  ::_exit(127);
}

}  // namespace

WorkerProcess::WorkerProcess(const std::filesystem::path& program,
                             std::vector<std::string> arguments)
    : channel_(OwnedFd()) {
  if (::access(program.c_str(), X_OK))
    throw Error(ADZE_NOT_FOUND, "cannot start the worker '" + program.string() +
                                    "': " + std::strerror(errno) + "; check the installation");
  arguments.insert(arguments.begin(), program.string());
  arguments.insert(arguments.end(), {"--fd", std::to_string(kSocket)});
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);

  auto [ours, theirs] = make_channel_pair();
  int printing[2];
  if (::pipe2(printing, O_CLOEXEC))
    throw Error(ADZE_RESOURCE_EXHAUSTED,
                std::string("cannot make a pipe: ") + std::strerror(errno));
  stderr_ = OwnedFd(printing[0]);
  const OwnedFd their_stderr(printing[1]);
  ::fcntl(stderr_.get(), F_SETFL, O_NONBLOCK);
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0)
    throw Error(ADZE_RESOURCE_EXHAUSTED,
                std::string("cannot start a worker: ") + std::strerror(errno));
  if (pid_ == 0) become_worker(pointers.data(), theirs.get(), their_stderr.get(), parent);
  ::setpgid(pid_, pid_);  // whoever is first
  channel_ = Channel(std::move(ours));
}

WorkerProcess::~WorkerProcess() { kill(); }

void WorkerProcess::drain_stderr() {
  std::array<char, 4096> chunk;
  ssize_t got = 0;
  while ((got = ::read(stderr_.get(), chunk.data(), chunk.size())) > 0) {
    printed_.append(chunk.data(), static_cast<std::size_t>(got));
    if (printed_.size() > kMaxPrintedBytes) printed_.erase(0, printed_.size() - kMaxPrintedBytes);
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
  drain_stderr();
  std::string text = printed_;
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.pop_back();
  constexpr std::size_t kShown = 600;
  if (text.size() > kShown) text = "..." + text.substr(text.size() - kShown);
  return text.empty() ? "" : "; its last words: " + text;
}

std::string WorkerProcess::describe_end() {
  const Deadline deadline = after_ms(kEndWaitMs);
  while (!reap(false) && remaining_ms(deadline) > 0) ::usleep(5000);
  if (!reaped_) {
    kill();
    return "it closed its socket and did not end" + last_words();
  }
  if (WIFSIGNALED(status_))
    return "it was killed by signal " + std::to_string(WTERMSIG(status_)) + " (" +
           ::strsignal(WTERMSIG(status_)) + ")" + last_words();
  return "it exited with " + std::to_string(WEXITSTATUS(status_)) + last_words();
}

}  // namespace adze::host
