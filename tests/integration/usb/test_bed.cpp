#include "tests/integration/usb/test_bed.hpp"

#include <fmt/core.h>
#include <sys/prctl.h>

#include <stdexcept>

namespace adze::test {

void check_error(GError* error, const std::string& what) {
  if (!error) return;
  const std::string text = fmt::format("{}: {}", what, error->message);
  g_error_free(error);
  throw std::runtime_error(text);
}

TestBed::TestBed() {
  // umockdev's library sleeps "0 ms" after each ioctl, which is 50 us with the default slack.
  prctl(PR_SET_TIMERSLACK, 1UL);
  // Its question whether a client is still there complains when it is not.
  g_log_set_handler(
      "GLib-GIO", G_LOG_LEVEL_CRITICAL, [](const char*, GLogLevelFlags, const char*, gpointer) {},
      nullptr);
  bed_ = umockdev_testbed_new();
  // Not earlier: the answer is remembered, and without a test bed it is no.
  if (!umockdev_in_mock_environment()) {
    throw std::runtime_error("libumockdev-preload.so.0 is not loaded before other libraries");
  }
}

TestBed::~TestBed() { g_object_unref(bed_); }

std::string TestBed::host_path(const std::string& path) const {
  char* root = umockdev_testbed_get_root_dir(bed_);
  std::string text = root + path;
  g_free(root);
  return text;
}

void TestBed::add(const std::string& device_description) {
  const std::lock_guard lock(mutex_);
  GError* error = nullptr;
  umockdev_testbed_add_from_string(bed_, device_description.c_str(), &error);
  check_error(error, "cannot add a device to the test bed");
}

void TestBed::remove(const std::string& sys_path) {
  const std::lock_guard lock(mutex_);
  umockdev_testbed_remove_device(bed_, sys_path.c_str());
}

void TestBed::announce_removal(const std::string& sys_path) {
  const std::lock_guard lock(mutex_);
  umockdev_testbed_uevent(bed_, sys_path.c_str(), "remove");
}

void TestBed::attach(const std::string& device_node, UMockdevIoctlBase* handler) {
  const std::lock_guard lock(mutex_);
  GError* error = nullptr;
  umockdev_testbed_attach_ioctl(bed_, device_node.c_str(), handler, &error);
  check_error(error, "cannot serve " + device_node);
}

void TestBed::detach(const std::string& device_node) {
  const std::lock_guard lock(mutex_);
  GError* error = nullptr;
  umockdev_testbed_detach_ioctl(bed_, device_node.c_str(), &error);
  check_error(error, "cannot stop serving " + device_node);
}

std::string TestBed::sys_path(const std::string& port) {
  std::string path = "/sys/devices/pci0000:00/0000:00:14.0/usb" + port.substr(0, port.find('-'));
  for (auto end = port.find('.'); end != std::string::npos; end = port.find('.', end + 1)) {
    path += "/" + port.substr(0, end);
  }
  return path + "/" + port;
}

void TestBed::add_hub(const std::string& port, int number) {
  const UsbDeviceText hub{
      .port = port,
      .bus = 1,
      .number = number,
      // Device (class 9), configuration, interface, one interrupt endpoint.
      .descriptors =
          "12010002090001406B1D020000010000000109021900010100E0000904000001090000000705"
          "8103040009",
      .serial = ""};
  add(hub.text());
}

std::string UsbDeviceText::device_node() const {
  return fmt::format("/dev/bus/usb/{:03}/{:03}", bus, number);
}

std::string UsbDeviceText::text() const {
  const int minor = (bus - 1) * 128 + number - 1;
  // Without "N:" the node is ours to create (see PollNode).
  return fmt::format(
             "P: {}\nE: DEVNAME={}\nE: DEVTYPE=usb_device\nE: SUBSYSTEM=usb\nE: MAJOR=189\n"
             "E: MINOR={}\nE: BUSNUM={}\nE: DEVNUM={}\nA: busnum={}\\n\nA: devnum={}\\n\n"
             "A: speed=480\\n\nA: bConfigurationValue=1\\n\nA: dev=189:{}\\n\n",
             TestBed::sys_path(port).substr(4), device_node(), minor, bus, number, bus, number,
             minor) +
         (serial.empty() ? "" : fmt::format("A: serial={}\\n\n", serial)) +
         fmt::format("H: descriptors={}\n", descriptors);
}

}  // namespace adze::test
