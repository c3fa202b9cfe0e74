#include "hil/inventory/line_capture.hpp"

#include <fcntl.h>
#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "hil/measure/energy.hpp"
#include "host/base/error.hpp"
#include "host/base/text.hpp"

namespace adze::hil {
namespace {

using host::Error;
using host::RigError;

speed_t speed_of(std::int64_t baud) {
  static constexpr std::pair<std::int64_t, speed_t> kSpeeds[] = {
      {9600, B9600},     {19200, B19200},   {38400, B38400},   {57600, B57600},
      {115200, B115200}, {230400, B230400}, {460800, B460800}, {921600, B921600}};
  std::string rates;
  for (const auto& [rate, speed] : kSpeeds) {
    if (rate == baud) return speed;
    rates += (rates.empty() ? "" : ", ") + std::to_string(rate);
  }
  throw Error(ADZE_INVALID_ARGUMENT,
              std::to_string(baud) + " is no rate of a serial line; there are " + rates);
}

}  // namespace

LineCapture::LineCapture(const std::vector<std::string>& command, const std::string& what)
    : program_(std::make_unique<Program>(command, what)) {
  start();
}

LineCapture::LineCapture(const std::string& device, std::int64_t baud, const std::string& what)
    : device_(::open(device.c_str(), O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)) {
  if (!device_)
    throw RigError(errno == ENOENT ? ADZE_NOT_FOUND : ADZE_PERMISSION_DENIED,
                   "cannot read the " + what + " at '" + device + "': " + std::strerror(errno));
  const speed_t speed = speed_of(baud);
  termios line{};
  if (::tcgetattr(device_.get(), &line) == 0) {
    ::cfmakeraw(&line);
    line.c_cflag |= CLOCAL;  // no modem
    ::cfsetspeed(&line, speed);
    ::tcsetattr(device_.get(), TCSANOW, &line);
  }
  start();
}

LineCapture::~LineCapture() {
  const char end = 0;
  // The pipe is empty: it always takes one byte.
  if (::write(wake_write_.get(), &end, 1) == 1) thread_.join();
}

void LineCapture::start() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC))
    throw Error(ADZE_RESOURCE_EXHAUSTED,
                std::string("cannot make a pipe: ") + std::strerror(errno));
  wake_read_ = host::OwnedFd(ends[0]);
  wake_write_ = host::OwnedFd(ends[1]);
  thread_ = std::thread([this] { read_all(); });
}

void LineCapture::read_all() {
  const int from = program_ ? program_->output() : device_.get();
  std::array<char, 4096> piece;
  for (;;) {
    std::array<pollfd, 2> waits{pollfd{from, POLLIN, 0}, pollfd{wake_read_.get(), POLLIN, 0}};
    if (::poll(waits.data(), waits.size(), -1) < 0 && errno != EINTR) break;
    if (waits[1].revents) return;
    if (!waits[0].revents) continue;
    const ssize_t got = ::read(from, piece.data(), piece.size());
    if (got > 0)
      take({piece.data(), static_cast<std::size_t>(got)});
    else if (got == 0 || (errno != EAGAIN && errno != EINTR))
      break;
  }
  ended_ = true;
}

void LineCapture::take(std::string_view bytes) {
  const double at = monotonic_s();
  const std::lock_guard lock(mutex_);
  for (const char c : bytes) {
    if (c != '\n' && partial_.size() < kMostLineBytes) {
      partial_ += c;
      continue;
    }
    lines_.push_back({at, host::one_line(partial_, kMostLineBytes)});
    partial_ = c == '\n' ? "" : std::string(1, c);
  }
  if (lines_.size() < 2 * kMostLines) return;
  const auto extra = static_cast<std::ptrdiff_t>(lines_.size() - kMostLines);
  lines_.erase(lines_.begin(), lines_.begin() + extra);
  forgotten_ += static_cast<std::size_t>(extra);
}

std::vector<TimedLine> LineCapture::lines() const {
  const std::lock_guard lock(mutex_);
  return lines_;
}

std::size_t LineCapture::forgotten() const {
  const std::lock_guard lock(mutex_);
  return forgotten_;
}

}  // namespace adze::hil
