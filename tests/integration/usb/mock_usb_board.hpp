// A simulated board on the simulated USB: the kernel's USB node and the gadget on the board in one.
//
// Bulk data goes to and from the agent over a byte stream (a socket), as a FunctionFS gadget would
// pass it on: what the host sends reaches the agent at a short packet or when the gadget's read
// buffer is full, and a request of the host for data ends at a short packet or when it is full.
#pragma once

#include <linux/usbdevice_fs.h>
#include <umockdev.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <ostream>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/integration/usb/poll_node.hpp"
#include "tests/integration/usb/test_bed.hpp"

namespace adze::test {

/// The three ways in which transfers in flight end when a board is unplugged.
enum class Unplug {
  no_device,  ///< each with "no device"
  error,      ///< each with a bus error, before the kernel knows
  at_submit,  ///< as if nothing had happened; the next one is refused
};

inline void PrintTo(Unplug how, std::ostream* out) {
  *out << (how == Unplug::no_device ? "no_device" : how == Unplug::error ? "error" : "at_submit");
}

struct BoardOptions {
  std::string port = "1-1";
  int number = 2;  ///< on bus 1; a different one for each board
  std::string serial = "LAB0001";
  std::string interface_name = "adze";
  /// Adze's interface beside a foreign one; or the foreign one alone, as another device has it.
  bool foreign = false;
  bool kernel_strings = true;  ///< the kernel keeps copies of serial number and interface name
  std::uint16_t packet_bytes = 512;
  /// Opens a connection to the agent and hands over its end; called when the host begins a session.
  std::function<int()> connect_agent;
};

class MockUsbBoard {
 public:
  /// The test bed must outlive the board, the board all who opened it.
  MockUsbBoard(TestBed& bed, BoardOptions options);
  ~MockUsbBoard();
  MockUsbBoard(const MockUsbBoard&) = delete;
  MockUsbBoard& operator=(const MockUsbBoard&) = delete;

  void plug();
  void unplug(Unplug how = Unplug::no_device);

  // Faults. Bytes are counted from the call.
  void stall_out_after(std::size_t bytes);
  void stall_in_after(std::size_t bytes);
  void unplug_out_after(std::size_t bytes, Unplug how = Unplug::no_device);
  /// Takes nothing more from the host.
  void refuse_out(bool refuse);
  /// Sends nothing more to the host.
  void mute_in(bool mute);
  /// What the gadget's driver still holds of an earlier session; it arrives in the next one.
  void leave_behind(std::vector<std::uint8_t> bytes);
  /// As usbfs_memory_mb: what all transfers in flight may hold.
  void limit_kernel_memory(std::size_t bytes);

  std::size_t bytes_out() const;
  /// How often a program opened the device.
  int opened() const;
  bool plugged() const;

 private:
  struct Urb;
  using UrbPointer = std::shared_ptr<Urb>;
  struct Message {
    std::vector<std::uint8_t> bytes;
    std::size_t sent_bytes = 0;
  };
  struct Answer {
    long result = 0;
    int error = 0;
    UMockdevIoctlData* data = nullptr;  // kept until the answer is given
  };
  static const Answer kClientDied;

  // The kernel's side, called by umockdev's thread.
  static gboolean on_ioctl(UMockdevIoctlBase* base, UMockdevIoctlClient* client, gpointer self);
  static void on_connected(UMockdevIoctlBase* base, UMockdevIoctlClient* client, gpointer self);
  void forget_closed_clients(UMockdevIoctlClient* newest);
  Answer answer(UMockdevIoctlClient* client);
  Answer claim(UMockdevIoctlClient* client, unsigned interface);
  Answer submit(UMockdevIoctlClient* client, UMockdevIoctlData* argument);
  Answer reap(UMockdevIoctlClient* client, UMockdevIoctlData* argument);
  Answer take_back(UMockdevIoctlClient* client, std::uintptr_t address);
  void control(const UrbPointer& urb);
  void finish(const UrbPointer& urb, int status, std::size_t actual_bytes);

  // The board's side, in the board's thread.
  void run();
  bool take_out();
  bool give_in();
  bool write_to_agent();
  bool read_from_agent();
  void accept(const UrbPointer& urb, std::size_t count);
  void change_session(std::unique_lock<std::mutex>& lock);
  void say_goodbye();
  void end_session();
  void agent_closed();
  void wait(std::unique_lock<std::mutex>& lock);
  void wake();

  bool has_kernel_interface() const;
  std::string interface_name() const;  // "1-1:1.1"
  std::vector<std::uint8_t> make_descriptors() const;
  std::vector<std::uint8_t> make_string(unsigned index) const;

  TestBed& bed_;
  const BoardOptions options_;
  const std::vector<std::uint8_t> descriptors_;
  const UsbDeviceText device_;
  UMockdevIoctlBase* handler_;

  std::mutex
      plug_mutex_;  // taken before mutex_: plugging and unplugging happen one after the other
  mutable std::mutex mutex_;
  std::unique_ptr<PollNode> node_;
  bool stop_ = false;
  bool gone_ = true;
  int opened_ = 0;
  std::set<UMockdevIoctlClient*> clients_;            // with a reference each
  std::map<unsigned, UMockdevIoctlClient*> claimed_;  // by interface
  std::set<std::uint8_t> halted_;                     // endpoints
  std::deque<UrbPointer> out_, in_, session_, done_;
  std::deque<Message> from_agent_;
  std::size_t from_agent_bytes_ = 0;
  std::vector<std::uint8_t> left_behind_;
  std::vector<std::uint8_t> gadget_buffer_;  // OUT data of a gadget read that is not complete yet
  std::vector<std::uint8_t> to_agent_;
  bool agent_closed_ = false;
  std::size_t bytes_out_ = 0;
  std::size_t memory_bytes_ = 0;
  std::size_t memory_limit_bytes_ = SIZE_MAX;
  std::optional<std::size_t> stall_out_after_, stall_in_after_, unplug_after_;
  Unplug unplug_how_ = Unplug::no_device;
  bool unplug_now_ = false;
  bool refuse_out_ = false;
  bool mute_in_ = false;

  int agent_ = -1;  // board's thread only
  int wake_;
  std::thread thread_;
};

}  // namespace adze::test
