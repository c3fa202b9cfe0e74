// A machine with simulated USB: /sys and /dev as libusb sees them. One per test process.
#pragma once

#include <umockdev.h>

#include <mutex>
#include <string>

namespace adze::test {

/// Throws std::runtime_error with umockdev's text and frees it.
void check_error(GError* error, const std::string& what);

class TestBed {
 public:
  /// Throws std::runtime_error when the preload library is missing.
  TestBed();
  ~TestBed();
  TestBed(const TestBed&) = delete;
  TestBed& operator=(const TestBed&) = delete;

  /// Where a path of the simulated machine is on this one.
  std::string host_path(const std::string& path) const;
  /// A hub at this port path ("1-2"), so that boards can be behind it ("1-2.3").
  void add_hub(const std::string& port, int number);
  void add(const std::string& device_description);
  void remove(const std::string& sys_path);
  void announce_removal(const std::string& sys_path);
  void attach(const std::string& device_node, UMockdevIoctlBase* handler);
  void detach(const std::string& device_node);

  /// "1-2.3" → "/sys/devices/pci0000:00/0000:00:14.0/usb1/1-2/1-2.3"
  static std::string sys_path(const std::string& port);

 private:
  std::mutex mutex_;  // boards unplug themselves from threads of their own
  UMockdevTestbed* bed_;
};

/// One device as a umockdev description; `descriptors` as the device sends them, in hexadecimal.
struct UsbDeviceText {
  std::string port;
  int bus;
  int number;
  std::string descriptors;
  std::string serial;  ///< empty: the kernel has no copy
  std::string device_node() const;
  std::string text() const;
};

}  // namespace adze::test
