// The transfers of one endpoint, several in flight, so that the bus is never idle between two.
#pragma once

#include <libusb.h>

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "host/base/error.hpp"

namespace adze::hil::usb {

class InQueue;

/// What the queues of one link and its user share. Everything below needs `mutex` held, except the
/// completion callback, which takes it.
struct LinkState {
  explicit LinkState(std::string board_address) : board(std::move(board_address)) {}

  std::mutex mutex;
  std::condition_variable changed;
  std::string board;            ///< "usb:LAB0001"
  bool stopping = false;        ///< a completed transfer is not posted again
  bool gone = false;            ///< for good: the device left the bus
  std::size_t in_flight = 0;    ///< transfers of both queues
  InQueue* starving = nullptr;  ///< waits until another transfer gives its memory back
  adze_status trouble = ADZE_OK;
  std::string trouble_text;

  /// The first trouble is the cause, later ones are its consequences.
  void fail(adze_status why, const std::string& text);
  void lose(const std::string& text);
  /// Throws RigError when there is trouble.
  void check() const;
};

class TransferQueue {
 public:
  TransferQueue(LinkState& state, libusb_device_handle* handle, std::uint8_t endpoint,
                std::size_t packet_bytes, std::size_t count);
  /// No transfer may be in flight, or the device handle must be closed already.
  virtual ~TransferQueue() = default;
  TransferQueue(const TransferQueue&) = delete;
  TransferQueue& operator=(const TransferQueue&) = delete;

  std::uint8_t endpoint() const { return endpoint_; }
  std::size_t in_flight() const;
  void cancel();

 protected:
  struct TransferFree {
    void operator()(libusb_transfer* transfer) const { libusb_free_transfer(transfer); }
  };
  struct Slot {
    TransferQueue* queue = nullptr;
    std::unique_ptr<libusb_transfer, TransferFree> transfer;
    std::vector<unsigned char> buffer;
    bool in_flight = false;
  };
  enum class Submitted { yes, no_memory, failed };

  Submitted submit(Slot& slot, std::size_t length_bytes);
  /// Halves the size of a transfer, for a kernel short of memory; false: it is as small as
  /// sensible.
  bool shrink_transfers();
  /// Another size would not help either.
  void fail_for_memory();
  /// All bytes of the slot's transfer went over the bus.
  virtual void completed(Slot& slot) = 0;

  LinkState& state_;
  std::size_t packet_bytes_;
  std::size_t transfer_bytes_;
  std::vector<std::unique_ptr<Slot>> slots_;

 private:
  static void LIBUSB_CALL on_completed(libusb_transfer* transfer);
  void finish(Slot& slot);
  const char* doing() const;

  libusb_device_handle* handle_;
  std::uint8_t endpoint_;
};

/// Always posted, so that the board can send at any time; stops asking for more while the user does
/// not take what has come.
class InQueue final : public TransferQueue {
 public:
  using TransferQueue::TransferQueue;
  void start();
  void memory_came_free();
  /// Moves what has come, in order; 0: nothing.
  std::size_t take(std::span<std::byte> into);
  /// Throws away what has come; false: nothing had.
  bool discard();

 private:
  struct Received {
    Slot* slot;
    std::size_t taken_bytes;
    std::size_t length_bytes;
  };
  void completed(Slot& slot) override;
  void post(Slot& slot);

  std::deque<Received> received_;
};

class OutQueue final : public TransferQueue {
 public:
  using TransferQueue::TransferQueue;
  /// Hands the first of these bytes to libusb and returns how many; 0: all transfers are in use.
  std::size_t put(std::span<const std::byte> bytes);
  void start() { limit_ = slots_.size(); }

 private:
  void completed(Slot& slot) override;
  std::size_t limit_ = slots_.size();
};

}  // namespace adze::hil::usb
