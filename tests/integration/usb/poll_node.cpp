#include "tests/integration/usb/poll_node.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cctype>
#include <filesystem>
#include <stdexcept>
#include <system_error>
#include <utility>
#include <vector>

namespace adze::test {
namespace {

// System calls without the C library: umockdev redirects its open and ioctl on /dev.
int raw_open(const char* path, int flags) {
  return static_cast<int>(syscall(SYS_openat, AT_FDCWD, path, flags, 0));
}
template <typename Argument>
int raw_ioctl(int file, unsigned long request, Argument argument) {
  return static_cast<int>(syscall(SYS_ioctl, file, request, argument));
}

constexpr std::size_t kFifoBytes = 4096;

/// What is in a folder; less when it vanishes meanwhile, as processes do.
std::vector<std::filesystem::path> list(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> entries;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    entries.push_back(entry->path());
  }
  return entries;
}

}  // namespace

PollNode::PollNode(std::string path) : path_(std::move(path)) {
  unlink(path_.c_str());
  if (!open_terminal()) open_fifo();
}

PollNode::~PollNode() {
  for (const int file : {master_, terminal_, fifo_}) {
    if (file >= 0) close(file);
  }
  unlink(path_.c_str());
}

bool PollNode::open_terminal() {
  master_ = raw_open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
  int unlock = 0;
  unsigned number = 0;
  if (master_ >= 0 && raw_ioctl(master_, TIOCSPTLCK, &unlock) == 0 &&
      raw_ioctl(master_, TIOCGPTN, &number) == 0) {
    const std::string name = "/dev/pts/" + std::to_string(number);
    terminal_ = raw_open(name.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (terminal_ >= 0 && raw_ioctl(terminal_, TCXONC, TCOOFF) == 0 &&
        symlink(name.c_str(), path_.c_str()) == 0) {
      return true;
    }
  }
  for (int* file : {&master_, &terminal_}) {
    if (*file >= 0) close(*file);
    *file = -1;
  }
  return false;
}

void PollNode::open_fifo() {
  if (mkfifo(path_.c_str(), 0600) == 0) {
    fifo_ = raw_open(path_.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
  }
  const std::array<char, kFifoBytes> filling{};
  if (fifo_ < 0 || fcntl(fifo_, F_SETPIPE_SZ, static_cast<int>(filling.size())) < 0 ||
      write(fifo_, filling.data(), filling.size()) != static_cast<ssize_t>(filling.size())) {
    throw std::runtime_error("cannot create a pollable node at " + path_);
  }
}

void PollNode::set_ready(bool ready) {
  if (ready == ready_) return;
  ready_ = ready;
  if (terminal_ >= 0) {
    raw_ioctl(terminal_, TCXONC, ready ? TCOON : TCOOFF);
    return;
  }
  std::array<char, kFifoBytes> filling{};
  const ssize_t moved = ready ? read(fifo_, filling.data(), filling.size())
                              : write(fifo_, filling.data(), filling.size());
  if (moved != static_cast<ssize_t>(filling.size())) {
    throw std::runtime_error("the FIFO at " + path_ + " is not as it was left");
  }
}

int PollNode::open_elsewhere() const {
  struct stat node {};
  if (fstat(terminal_ >= 0 ? terminal_ : fifo_, &node) != 0) return 0;
  int count = -1;  // our own
  for (const auto& process : list("/proc")) {
    if (std::isdigit(process.filename().native().front()) == 0) continue;  // self, and others
    for (const auto& file : list(process / "fd")) {
      struct stat other {};
      if (stat(file.c_str(), &other) == 0 && other.st_dev == node.st_dev &&
          other.st_ino == node.st_ino) {
        ++count;
      }
    }
  }
  return count;
}

void PollNode::hang_up() {
  set_ready(true);
  if (master_ >= 0) close(master_);
  master_ = -1;
}

}  // namespace adze::test
