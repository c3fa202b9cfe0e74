#include "hil/link/usb/usb_link.hpp"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "hil/link/usb/device.hpp"
#include "hil/link/usb/identity.hpp"
#include "hil/link/usb/transfer_queue.hpp"

namespace adze::hil {
namespace {

using host::RigError;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// In each direction. Together 2.5 MiB, so that six boards fit into the 16 MiB that Linux grants
/// all users of USB together.
constexpr std::size_t kInTransfers = 4;
constexpr std::size_t kOutTransfers = 6;
/// The kernel takes back a transfer in well under a millisecond; a host under load takes longer.
constexpr std::int64_t kReapTimeoutMs = 5000;
constexpr std::int64_t kResetTimeoutMs = 10'000;
constexpr std::int64_t kFarewellMs = 1000;
/// A board that still sent something from an earlier session has done so after this time.
constexpr milliseconds kQuiet{20};
constexpr milliseconds kDrainTimeout{2000};

class UsbLink final : public Link {
 public:
  UsbLink(std::unique_ptr<usb::Context> context, usb::HandlePointer handle,
          const usb::Device& device)
      : context_(std::move(context)),
        handle_(std::move(handle)),
        interface_(device.interface),
        state_(device.address()),
        in_(state_, handle_.get(), device.in_endpoint, device.in_packet_bytes, kInTransfers),
        out_(state_, handle_.get(), device.out_endpoint, device.out_packet_bytes, kOutTransfers),
        events_(std::in_place, context_->get()) {}

  /// After the bounded wait the order makes it safe whatever the kernel did: no callback runs any
  /// more, closing the handle makes the kernel and libusb forget the transfers, then they are
  /// freed.
  ~UsbLink() override {
    finish_sending();
    stop_transfers();
    end_session();
    libusb_release_interface(handle_.get(), interface_);
    events_.reset();
    handle_.reset();
  }

  std::string name() const override { return state_.board; }

  void write(std::span<const std::byte> bytes, Deadline deadline) override {
    std::unique_lock lock(state_.mutex);
    const std::size_t total = bytes.size();
    while (!bytes.empty()) {
      state_.check();
      if (const std::size_t count = out_.put(bytes); count > 0) {
        bytes = bytes.subspan(count);
      } else if (state_.trouble == ADZE_OK && !wait(lock, deadline)) {
        throw RigError(ADZE_DEADLINE_EXCEEDED,
                       fmt::format("board {} does not take data: {} of {} bytes were handed over "
                                   "when the time was up; is its agent running?",
                                   state_.board, total - bytes.size(), total));
      }
    }
    state_.check();
  }

  std::size_t read(std::span<std::byte> into, Deadline deadline) override {
    std::unique_lock lock(state_.mutex);
    for (;;) {
      // What came before the trouble is still good.
      if (const std::size_t count = in_.take(into); count > 0 || into.empty()) return count;
      state_.check();
      if (!wait(lock, deadline)) {
        throw RigError(ADZE_DEADLINE_EXCEEDED,
                       fmt::format("board {} sent nothing before the time was up; is its agent "
                                   "running?",
                                   state_.board));
      }
    }
  }

  void reset() override { begin_session(host::after_ms(kResetTimeoutMs)); }

  void begin_session(Deadline deadline) {
    if (!stop_transfers()) {
      throw RigError(ADZE_DEADLINE_EXCEEDED,
                     fmt::format("board {} cannot be reset: the kernel does not give back the "
                                 "transfers in flight; unplug the board",
                                 state_.board));
    }
    request_begin(deadline);
    // Also of what nobody here saw stall: an earlier session may have ended with it.
    clear_halt(out_.endpoint());
    clear_halt(in_.endpoint());
    restart();
  }

 private:
  /// Waits for any change; false: the deadline has passed.
  bool wait(std::unique_lock<std::mutex>& lock, Deadline deadline) {
    return state_.changed.wait_until(lock, deadline) == std::cv_status::no_timeout ||
           steady_clock::now() < deadline;
  }

  /// Takes back all transfers and waits for the last; false: the kernel keeps some.
  bool stop_transfers() {
    std::unique_lock lock(state_.mutex);
    state_.stopping = true;
    in_.cancel();
    out_.cancel();
    return state_.changed.wait_for(lock, milliseconds(kReapTimeoutMs), [this] {
      return in_.in_flight() == 0 && out_.in_flight() == 0;
    });
  }

  /// What was written last may be a goodbye: it goes out unless the board does not take it.
  void finish_sending() {
    std::unique_lock lock(state_.mutex);
    state_.changed.wait_for(lock, milliseconds(kFarewellMs),
                            [this] { return out_.in_flight() == 0 || state_.trouble != ADZE_OK; });
  }

  /// So that the board is free at once; one that cannot be told frees itself when the next begins.
  void end_session() {
    std::unique_lock lock(state_.mutex);
    const bool reachable = state_.trouble == ADZE_OK;
    lock.unlock();
    if (reachable) send_request(usb::kRequestEnd, kFarewellMs);
  }

  int send_request(std::uint8_t request, std::int64_t timeout_ms) {
    return libusb_control_transfer(
        handle_.get(),
        static_cast<std::uint8_t>(LIBUSB_ENDPOINT_OUT) |
            static_cast<std::uint8_t>(LIBUSB_REQUEST_TYPE_VENDOR) |
            static_cast<std::uint8_t>(LIBUSB_RECIPIENT_INTERFACE),
        request, 0, interface_, nullptr, 0,
        static_cast<unsigned>(std::clamp<std::int64_t>(timeout_ms, 1, kResetTimeoutMs)));
  }

  void request_begin(Deadline deadline) {
    const int code = send_request(usb::kRequestBegin, host::remaining_ms(deadline));
    if (code >= 0) return;
    check_gone(code, "a session was begun");
    if (code == LIBUSB_ERROR_TIMEOUT) {
      throw RigError(ADZE_DEADLINE_EXCEEDED,
                     fmt::format("board {} does not answer the request to begin a session; is its "
                                 "agent running?",
                                 state_.board));
    }
    throw RigError(ADZE_UNAVAILABLE,
                   fmt::format("board {} refuses to begin a session ({}); update the agent on it",
                               state_.board, usb::error_text(code)));
  }

  void clear_halt(std::uint8_t endpoint) {
    const int code = libusb_clear_halt(handle_.get(), endpoint);
    check_gone(code, "a stall was cleared");
    if (code != LIBUSB_SUCCESS) {
      throw RigError(ADZE_UNAVAILABLE,
                     fmt::format("board {}: endpoint {:#04x} stays stalled ({}); unplug the board",
                                 state_.board, endpoint, usb::error_text(code)));
    }
  }

  void check_gone(int code, const char* when) {
    if (code != LIBUSB_ERROR_NO_DEVICE) return;
    const std::lock_guard lock(state_.mutex);
    state_.lose(fmt::format("it left the bus while {}", when));
    state_.check();
  }

  /// Posts the transfers again and throws away what an earlier session left in the board.
  void restart() {
    std::unique_lock lock(state_.mutex);
    if (state_.gone) state_.check();
    state_.trouble = ADZE_OK;
    state_.stopping = false;
    out_.start();
    in_.start();
    const auto give_up = steady_clock::now() + kDrainTimeout;
    auto quiet_until = steady_clock::now() + kQuiet;
    while (steady_clock::now() < quiet_until) {
      state_.changed.wait_until(lock, quiet_until);
      if (in_.discard()) quiet_until = steady_clock::now() + kQuiet;
      state_.check();
      if (steady_clock::now() > give_up) {
        throw RigError(ADZE_UNAVAILABLE,
                       fmt::format("board {} does not stop sending what belongs to no session; "
                                   "restart its agent",
                                   state_.board));
      }
    }
  }

  // Destroyed from below; the queues after the handle is closed, see the destructor.
  std::unique_ptr<usb::Context> context_;
  usb::HandlePointer handle_;
  std::uint8_t interface_;
  usb::LinkState state_;
  usb::InQueue in_;
  usb::OutQueue out_;
  std::optional<usb::EventThread> events_;
};

std::string describe(const usb::Device& device) {
  return device.serial.empty() || device.location.empty()
             ? device.address()
             : fmt::format("{} at {}", device.address(), device.location);
}

std::string describe(const std::vector<usb::Device>& devices) {
  std::vector<std::string> texts;
  for (const auto& device : devices) texts.push_back(describe(device));
  return fmt::format("{}", fmt::join(texts, ", "));
}

usb::Device choose(std::vector<usb::Device> devices, const std::string& wanted) {
  const std::string present = devices.empty() ? "none" : describe(devices);
  std::erase_if(devices, [&](const usb::Device& device) {
    return device.serial != wanted && device.location != wanted;
  });
  if (wanted.empty() || devices.empty()) {
    throw RigError(ADZE_UNAVAILABLE,
                   fmt::format("no board usb:{} is there; boards on USB: {}", wanted, present));
  }
  if (devices.size() > 1) {
    throw RigError(ADZE_FAILED_PRECONDITION,
                   fmt::format("{} boards answer to usb:{} ({}); name one by its port path",
                               devices.size(), wanted, describe(devices)));
  }
  return std::move(devices.front());
}

[[noreturn]] void throw_not_opened(const usb::Device& device, int code) {
  switch (code) {
    case LIBUSB_ERROR_ACCESS:
      throw RigError(ADZE_PERMISSION_DENIED,
                     fmt::format("cannot open board {}: this user may not; add a udev rule, or the "
                                 "user to its group",
                                 describe(device)));
    case LIBUSB_ERROR_BUSY:
      throw RigError(ADZE_UNAVAILABLE,
                     fmt::format("cannot open board {}: it is in use by another program; end that "
                                 "program, or take another board",
                                 describe(device)));
    case LIBUSB_ERROR_NO_DEVICE:
      throw RigError(ADZE_UNAVAILABLE, fmt::format("board {} is gone: it left the bus while it was "
                                                   "opened; check cable and power, then try again",
                                                   describe(device)));
    default:
      throw RigError(ADZE_UNAVAILABLE, fmt::format("cannot open board {} ({})", describe(device),
                                                   usb::error_text(code)));
  }
}

}  // namespace

std::unique_ptr<Link> open_usb(const std::string& serial_or_port_path, Deadline deadline) {
  auto context = std::make_unique<usb::Context>();
  usb::Device device = choose(usb::list_devices(*context), serial_or_port_path);
  libusb_device_handle* opened = nullptr;
  if (const int code = libusb_open(device.device.get(), &opened); code != LIBUSB_SUCCESS) {
    throw_not_opened(device, code);
  }
  usb::HandlePointer handle(opened);
  if (const int code = libusb_claim_interface(opened, device.interface); code != LIBUSB_SUCCESS) {
    throw_not_opened(device, code);
  }
  device.device.reset();  // the handle has its own reference; this one must not outlive the context
  auto link = std::make_unique<UsbLink>(std::move(context), std::move(handle), device);
  link->begin_session(deadline);
  return link;
}

std::vector<FoundBoard> find_usb_boards() {
  const usb::Context context;
  const auto devices = usb::list_devices(context);
  std::vector<FoundBoard> boards;
  for (const auto& device : devices) {
    const bool unique = std::ranges::count(devices, device.serial, &usb::Device::serial) == 1;
    boards.push_back(
        {.address = unique && !device.serial.empty() ? device.address() : "usb:" + device.location,
         .link = "usb",
         .serial = device.serial,
         .location = device.location});
  }
  std::ranges::sort(boards, {}, &FoundBoard::address);
  return boards;
}

}  // namespace adze::hil
