#include "plugins/drpai_tvm/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <adze/adze.hpp>
#include <cerrno>
#include <cstring>
#include <fstream>

namespace adze::drpai_tvm {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kKeptBytes = 256u << 10;
constexpr int kPollMs = 100;
constexpr auto kGrace = std::chrono::seconds(3);

struct Pipe {
  Pipe() {
    if (::pipe2(ends, O_CLOEXEC))
      throw Error(ADZE_RESOURCE_EXHAUSTED, std::string("no pipe: ") + std::strerror(errno));
  }
  ~Pipe() {
    close_end(0);
    close_end(1);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  void close_end(int end) {
    if (ends[end] >= 0) ::close(ends[end]);
    ends[end] = -1;
  }
  int ends[2] = {-1, -1};
};

/// Between fork and exec: only what is safe in a process with threads.
[[noreturn]] void become(char* const* arguments, const char* folder, int output, int failed) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  const int nothing = ::open("/dev/null", O_RDONLY);
  ::dup2(nothing, 0);
  ::dup2(output, 1);
  ::dup2(output, 2);
  if (::chdir(folder) == 0) ::execvp(arguments[0], arguments);
  const int error = errno;
  [[maybe_unused]] const ssize_t put = ::write(failed, &error, sizeof error);
  ::_exit(127);
}

pid_t start(const Command& command, Pipe& output) {
  std::vector<std::string> arguments = command.arguments;
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  const std::string folder = command.folder.string();
  Pipe failed;
  const pid_t child = ::fork();
  if (child < 0)
    throw Error(ADZE_RESOURCE_EXHAUSTED,
                "cannot start '" + arguments[0] + "': " + std::strerror(errno));
  if (child == 0) become(pointers.data(), folder.c_str(), output.ends[1], failed.ends[1]);
  ::setpgid(child, child);
  output.close_end(1);
  failed.close_end(1);
  int error = 0;
  if (::read(failed.ends[0], &error, sizeof error) == sizeof error) {
    ::waitpid(child, nullptr, 0);
    throw Error(error == ENOENT ? ADZE_NOT_FOUND : ADZE_FAILED_PRECONDITION,
                "cannot start '" + arguments[0] + "' in '" + folder + "': " + std::strerror(error));
  }
  return child;
}

/// What comes from the program: kept, logged, and its last line.
class Printed {
 public:
  explicit Printed(const std::filesystem::path& log) : log_(log, std::ios::app) {}
  /// False at the end.
  bool take(int fd) {
    char bytes[1 << 14];
    const ssize_t got = ::read(fd, bytes, sizeof bytes);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return true;
    if (got <= 0) return false;
    log_.write(bytes, got);
    text_.append(bytes, static_cast<std::size_t>(got));
    if (text_.size() > 2 * kKeptBytes) text_.erase(0, text_.size() - kKeptBytes);
    return true;
  }
  std::string last_line() const {
    const std::size_t end = text_.find_last_not_of("\r\n ");
    if (end == std::string::npos) return {};
    const std::size_t begin = text_.find_last_of("\r\n", end);
    return text_.substr(begin == std::string::npos ? 0 : begin + 1,
                        end - (begin == std::string::npos ? 0 : begin + 1) + 1);
  }
  std::string text() const {
    return text_.size() > kKeptBytes ? text_.substr(text_.size() - kKeptBytes) : text_;
  }

 private:
  std::ofstream log_;
  std::string text_;
};

bool ended(pid_t child, Outcome& outcome) {
  int status = 0;
  if (::waitpid(child, &status, WNOHANG) != child) return false;
  outcome.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  outcome.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  return true;
}

}  // namespace

Outcome run_command(const Command& command, const std::filesystem::path& log,
                    std::chrono::milliseconds limit,
                    const std::function<bool(const std::string& line)>& stop) {
  Pipe output;
  Printed printed(log);
  const pid_t child = start(command, output);
  ::fcntl(output.ends[0], F_SETFL, O_NONBLOCK);
  Outcome outcome;
  const auto deadline = Clock::now() + limit;
  auto patience = Clock::time_point::max();  // after which it is killed
  bool stopping = false, open = true;
  while (!ended(child, outcome)) {
    pollfd waited{open ? output.ends[0] : -1, POLLIN, 0};
    if (::poll(&waited, 1, kPollMs) > 0 && open) open = printed.take(output.ends[0]);
    if (!stopping) {
      outcome.timed_out = Clock::now() >= deadline;
      stopping = outcome.timed_out || stop(printed.last_line());
      if (stopping) {
        ::kill(-child, SIGTERM);
        patience = Clock::now() + kGrace;
      }
    } else if (Clock::now() >= patience) {
      ::kill(-child, SIGKILL);
    }
  }
  ::kill(-child, SIGKILL);  // what it left behind
  pollfd rest{output.ends[0], POLLIN, 0};
  while (open && ::poll(&rest, 1, 0) > 0) open = printed.take(output.ends[0]);
  outcome.output = printed.text();
  return outcome;
}

}  // namespace adze::drpai_tvm
