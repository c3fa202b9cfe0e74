#include "hil/link/usb/device.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <optional>
#include <span>

#include "hil/link/usb/identity.hpp"

namespace adze::hil::usb {
namespace {

using host::RigError;

constexpr std::size_t kSmallestPacketBytes = 8;  // of bulk endpoints, by the USB specification

std::string location_of(libusb_device* device) {
  std::array<std::uint8_t, 8> ports{};
  const int depth = libusb_get_port_numbers(device, ports.data(), static_cast<int>(ports.size()));
  std::string text;
  for (int i = 0; i < depth; ++i) {
    text += fmt::format("{}{}", i == 0 ? fmt::format("{}-", libusb_get_bus_number(device)) : ".",
                        ports[static_cast<std::size_t>(i)]);
  }
  return text;
}

/// The kernel keeps the strings it read when the device came: no need to open the device.
std::optional<std::string> read_kernel_string(const std::string& device, const char* attribute) {
  std::ifstream file(std::filesystem::path("/sys/bus/usb/devices") / device / attribute);
  std::string text;
  if (!std::getline(file, text)) return std::nullopt;
  return text;
}

std::string read_string(libusb_device_handle* handle, std::uint8_t index) {
  std::array<unsigned char, 256> text{};
  if (index == 0) return "";
  const int length =
      libusb_get_string_descriptor_ascii(handle, index, text.data(), static_cast<int>(text.size()));
  return length > 0 ? std::string(text.begin(), text.begin() + length) : "";
}

struct Config {
  libusb_config_descriptor* descriptor = nullptr;
  ~Config() {
    if (descriptor) libusb_free_config_descriptor(descriptor);
  }
};

/// Our interface with its two endpoints; false when the device has none.
bool take_endpoints(const libusb_interface_descriptor& interface, Device& device) {
  if (interface.bInterfaceClass != kInterfaceClass ||
      interface.bInterfaceSubClass != kInterfaceSubclass ||
      interface.bInterfaceProtocol != kInterfaceProtocol || interface.bAlternateSetting != 0) {
    return false;
  }
  for (const auto& endpoint : std::span(interface.endpoint, interface.bNumEndpoints)) {
    if ((endpoint.bmAttributes & LIBUSB_TRANSFER_TYPE_MASK) != LIBUSB_TRANSFER_TYPE_BULK) continue;
    const bool in = (endpoint.bEndpointAddress & LIBUSB_ENDPOINT_DIR_MASK) == LIBUSB_ENDPOINT_IN;
    const std::size_t packet_bytes = endpoint.wMaxPacketSize & 0x7ffU;
    if (in ? device.in_endpoint != 0 : device.out_endpoint != 0) continue;
    (in ? device.in_endpoint : device.out_endpoint) = endpoint.bEndpointAddress;
    (in ? device.in_packet_bytes : device.out_packet_bytes) = packet_bytes;
  }
  device.interface = interface.bInterfaceNumber;
  return device.in_packet_bytes >= kSmallestPacketBytes &&
         device.out_packet_bytes >= kSmallestPacketBytes;
}

/// The interface's and the device's strings; false when the interface bears another name. Only
/// called for a device with our interface triple, so it may be opened where the kernel's copy of
/// the strings is missing.
bool take_strings(const libusb_device_descriptor& descriptor, const Config& config,
                  std::uint8_t interface_string, Device& device) {
  auto serial = read_kernel_string(device.location, "serial");
  auto name =
      read_kernel_string(fmt::format("{0}/{0}:{1}.{2}", device.location,
                                     config.descriptor->bConfigurationValue, device.interface),
                         "interface");
  if ((!serial && descriptor.iSerialNumber != 0) || !name) {
    libusb_device_handle* opened = nullptr;
    if (libusb_open(device.device.get(), &opened) == LIBUSB_SUCCESS) {
      const HandlePointer handle(opened);
      if (!serial) serial = read_string(opened, descriptor.iSerialNumber);
      if (!name) name = read_string(opened, interface_string);
    }
  }
  device.serial = serial.value_or("");
  return name.value_or(kInterfaceName) == kInterfaceName;
}

std::optional<Device> recognize(libusb_device* candidate) {
  libusb_device_descriptor descriptor{};
  Config config;
  if (libusb_get_device_descriptor(candidate, &descriptor) != LIBUSB_SUCCESS ||
      libusb_get_active_config_descriptor(candidate, &config.descriptor) != LIBUSB_SUCCESS) {
    return std::nullopt;  // not configured, or gone since it was listed
  }
  for (const auto& interface :
       std::span(config.descriptor->interface, config.descriptor->bNumInterfaces)) {
    for (const auto& setting :
         std::span(interface.altsetting, static_cast<std::size_t>(interface.num_altsetting))) {
      Device device;
      if (!take_endpoints(setting, device)) continue;
      device.device.reset(libusb_ref_device(candidate));
      device.location = location_of(candidate);
      if (take_strings(descriptor, config, setting.iInterface, device)) return device;
    }
  }
  return std::nullopt;
}

}  // namespace

std::string error_text(int libusb_code) {
  return fmt::format("{}: {}", libusb_error_name(libusb_code), libusb_strerror(libusb_code));
}

Context::Context() {
  if (const int code = libusb_init(&context_); code != LIBUSB_SUCCESS) {
    throw RigError(ADZE_UNAVAILABLE,
                   fmt::format("cannot use USB on this machine: libusb does not start ({})",
                               error_text(code)));
  }
}

Context::~Context() { libusb_exit(context_); }

EventThread::EventThread(libusb_context* context) : context_(context) {
  thread_ = std::thread([this] {
    while (!stop_) {
      timeval wait{.tv_sec = 1, .tv_usec = 0};
      const int code = libusb_handle_events_timeout_completed(context_, &wait, nullptr);
      // Not seen so far; but a persistent error must not become a busy loop.
      if (code != LIBUSB_SUCCESS) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  });
}

EventThread::~EventThread() {
  stop_ = true;
  libusb_interrupt_event_handler(context_);
  thread_.join();
}

std::vector<Device> list_devices(const Context& context) {
  libusb_device** list = nullptr;
  const auto count = libusb_get_device_list(context.get(), &list);
  if (count < 0) {
    throw RigError(ADZE_UNAVAILABLE, fmt::format("cannot list the USB devices ({})",
                                                 error_text(static_cast<int>(count))));
  }
  std::vector<Device> devices;
  for (libusb_device* candidate : std::span(list, static_cast<std::size_t>(count))) {
    if (auto device = recognize(candidate)) devices.push_back(std::move(*device));
  }
  libusb_free_device_list(list, 1);
  std::ranges::sort(devices, {}, &Device::location);
  return devices;
}

}  // namespace adze::hil::usb
