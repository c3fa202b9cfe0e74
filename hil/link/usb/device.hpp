// Finding and opening the devices that are boards.
#pragma once

#include <libusb.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "host/base/error.hpp"

namespace adze::hil::usb {

/// "LIBUSB_ERROR_BUSY: Resource busy".
std::string error_text(int libusb_code);

/// A libusb context of its own per user: it lists what is there now also where no udev daemon
/// would announce a board that comes later, as in containers.
class Context {
 public:
  Context();
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  libusb_context* get() const { return context_; }

 private:
  libusb_context* context_ = nullptr;
};

/// Runs the completion callbacks of a context until destroyed.
class EventThread {
 public:
  explicit EventThread(libusb_context* context);
  ~EventThread();

 private:
  libusb_context* context_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

struct DeviceRelease {
  void operator()(libusb_device* device) const { libusb_unref_device(device); }
};
struct HandleClose {
  void operator()(libusb_device_handle* handle) const { libusb_close(handle); }
};
using DevicePointer = std::unique_ptr<libusb_device, DeviceRelease>;
using HandlePointer = std::unique_ptr<libusb_device_handle, HandleClose>;

/// A device with our interface.
struct Device {
  DevicePointer device;
  std::string serial;    ///< empty: none, or not readable by this user
  std::string location;  ///< "1-2.3"; empty: not known
  std::uint8_t interface = 0;
  std::uint8_t in_endpoint = 0;  ///< the kernel renumbers endpoints: these are the ones to use
  std::uint8_t out_endpoint = 0;
  std::size_t in_packet_bytes = 0;
  std::size_t out_packet_bytes = 0;

  /// What messages call it: "usb:LAB0001", without a serial number "usb:1-2.3".
  std::string address() const { return "usb:" + (serial.empty() ? location : serial); }
};

/// All boards, sorted by location. Throws RigError when the devices cannot be listed.
std::vector<Device> list_devices(const Context& context);

}  // namespace adze::hil::usb
