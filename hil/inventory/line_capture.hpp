// Lines that a meter or a console writes while something else goes on, with the time they came.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "hil/inventory/program.hpp"

namespace adze::hil {

struct TimedLine {
  double at_s = 0;   ///< when its end was read, as monotonic_s()
  std::string text;  ///< printable, one line
};

/// Reads in a thread of its own from construction to destruction. Keeps the last kMostLines.
class LineCapture {
 public:
  static constexpr std::size_t kMostLines = 200'000, kMostLineBytes = 1000;

  /// `what` for messages: "meter". Errors: those of Program.
  LineCapture(const std::vector<std::string>& command, const std::string& what);
  /// A serial line, put into raw mode at `baud`; or anything else that can be read. Errors:
  /// RigError NOT_FOUND, PERMISSION_DENIED; INVALID_ARGUMENT for a rate that there is not.
  LineCapture(const std::string& device, std::int64_t baud, const std::string& what);
  ~LineCapture();
  /// All so far, in order.
  std::vector<TimedLine> lines() const;
  /// Of lines that came before those kept.
  std::size_t forgotten() const;
  /// Nothing more will come: the program ended, the device is gone.
  bool ended() const { return ended_; }

 private:
  void start();
  void read_all();
  void take(std::string_view bytes);

  std::unique_ptr<Program> program_;
  host::OwnedFd device_, wake_read_, wake_write_;
  mutable std::mutex mutex_;
  std::vector<TimedLine> lines_;
  std::size_t forgotten_ = 0;
  std::string partial_;
  std::atomic<bool> ended_ = false;
  std::thread thread_;
};

}  // namespace adze::hil
