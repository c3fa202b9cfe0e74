// The file in the place of /dev/bus/usb/001/002: it polls as the kernel's USB nodes do.
#pragma once

#include <string>

namespace adze::test {

/// A terminal whose output is stopped and started, and whose master is closed on unplug; libusb
/// sees POLLOUT when a transfer is done and POLLERR when the device is gone. Where there are no
/// terminals, a FIFO that is full or empty: then an unplug is noticed by its event only.
class PollNode {
 public:
  /// Creates the file; it is not ready. Throws std::runtime_error.
  explicit PollNode(std::string path);
  ~PollNode();
  PollNode(const PollNode&) = delete;
  PollNode& operator=(const PollNode&) = delete;

  void set_ready(bool ready);
  void hang_up();
  /// How many descriptors of all processes refer to the node, besides those in here.
  int open_elsewhere() const;

 private:
  bool open_terminal();
  void open_fifo();

  std::string path_;
  bool ready_ = false;
  int master_ = -1;
  int terminal_ = -1;
  int fifo_ = -1;
};

}  // namespace adze::test
