#include "hil/link/usb/transfer_queue.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "hil/link/usb/device.hpp"

namespace adze::hil::usb {
namespace {

/// One request of this size keeps a high-speed bus busy for 5 ms; it is a multiple of every packet
/// size, without which a board that sends a full packet would overflow the last one.
constexpr std::size_t kTransferBytes = 256 * 1024;
constexpr std::size_t kSmallestTransferBytes = 16 * 1024;

}  // namespace

void LinkState::fail(adze_status why, const std::string& text) {
  if (trouble == ADZE_OK) {
    trouble = why;
    trouble_text = text;
  }
  changed.notify_all();
}

void LinkState::lose(const std::string& text) {
  if (!gone) trouble = ADZE_OK;  // explains whatever failed before
  gone = true;
  fail(ADZE_UNAVAILABLE,
       fmt::format("board {} is gone: {}; check cable and power, then try again", board, text));
}

void LinkState::check() const {
  if (trouble != ADZE_OK) throw host::RigError(trouble, trouble_text);
}

TransferQueue::TransferQueue(LinkState& state, libusb_device_handle* handle, std::uint8_t endpoint,
                             std::size_t packet_bytes, std::size_t count)
    : state_(state),
      packet_bytes_(packet_bytes),
      transfer_bytes_(kTransferBytes),
      handle_(handle),
      endpoint_(endpoint) {
  for (std::size_t i = 0; i < count; ++i) {
    auto slot = std::make_unique<Slot>();
    slot->queue = this;
    slot->transfer.reset(libusb_alloc_transfer(0));
    if (!slot->transfer) {
      throw host::RigError(ADZE_RESOURCE_EXHAUSTED,
                           fmt::format("cannot open board {}: out of memory", state.board));
    }
    slot->buffer.resize(kTransferBytes);
    slots_.push_back(std::move(slot));
  }
}

std::size_t TransferQueue::in_flight() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(slots_, [](const auto& slot) { return slot->in_flight; }));
}

void TransferQueue::cancel() {
  // Last first: otherwise the controller would start the next one while the first is taken back.
  for (auto slot = slots_.rbegin(); slot != slots_.rend(); ++slot) {
    if ((*slot)->in_flight) libusb_cancel_transfer((*slot)->transfer.get());
  }
}

const char* TransferQueue::doing() const {
  return endpoint_ & LIBUSB_ENDPOINT_IN ? "receiving" : "sending";
}

TransferQueue::Submitted TransferQueue::submit(Slot& slot, std::size_t length_bytes) {
  // No timeout of libusb's: the deadlines are those of the link's user.
  libusb_fill_bulk_transfer(slot.transfer.get(), handle_, endpoint_, slot.buffer.data(),
                            static_cast<int>(length_bytes), &TransferQueue::on_completed, &slot, 0);
  const int code = libusb_submit_transfer(slot.transfer.get());
  if (code == LIBUSB_SUCCESS) {
    slot.in_flight = true;
    ++state_.in_flight;
    return Submitted::yes;
  }
  if (code == LIBUSB_ERROR_NO_MEM) return Submitted::no_memory;
  if (code == LIBUSB_ERROR_NO_DEVICE) {
    state_.lose(fmt::format("it left the bus while {}", doing()));
  } else {
    state_.fail(ADZE_UNAVAILABLE, fmt::format("board {}: {} failed: the kernel takes no transfer "
                                              "({})",
                                              state_.board, doing(), error_text(code)));
  }
  return Submitted::failed;
}

bool TransferQueue::shrink_transfers() {
  if (transfer_bytes_ <= kSmallestTransferBytes) return false;
  transfer_bytes_ /= 2;
  return true;
}

void TransferQueue::fail_for_memory() {
  state_.fail(ADZE_RESOURCE_EXHAUSTED,
              fmt::format("board {}: {} failed: the kernel's memory for USB is used up; raise "
                          "/sys/module/usbcore/parameters/usbfs_memory_mb or use fewer boards at "
                          "once",
                          state_.board, doing()));
}

void TransferQueue::on_completed(libusb_transfer* transfer) {
  auto& slot = *static_cast<Slot*>(transfer->user_data);
  LinkState& state = slot.queue->state_;
  const std::lock_guard lock(state.mutex);
  slot.in_flight = false;
  --state.in_flight;
  slot.queue->finish(slot);
  if (InQueue* starving = std::exchange(state.starving, nullptr)) starving->memory_came_free();
  state.changed.notify_all();
}

void TransferQueue::finish(Slot& slot) {
  switch (slot.transfer->status) {
    case LIBUSB_TRANSFER_COMPLETED:
      completed(slot);
      return;
    case LIBUSB_TRANSFER_CANCELLED:
      return;
    case LIBUSB_TRANSFER_NO_DEVICE:
      state_.lose(fmt::format("it left the bus while {}", doing()));
      return;
    case LIBUSB_TRANSFER_ERROR:
      // The usual sign of an unplug: it comes before the kernel knows. After a mere disturbance
      // reset() finds the board there again.
      state_.fail(ADZE_UNAVAILABLE, fmt::format("board {} is gone: the bus failed while {}; check "
                                                "cable and power, then try again",
                                                state_.board, doing()));
      return;
    case LIBUSB_TRANSFER_STALL:
      state_.fail(ADZE_UNAVAILABLE,
                  fmt::format("board {}: {} failed: the board stalled endpoint {:#04x}; reset the "
                              "link, or restart the agent on the board",
                              state_.board, doing(), endpoint_));
      return;
    case LIBUSB_TRANSFER_OVERFLOW:
      state_.fail(ADZE_DATA_LOSS,
                  fmt::format("board {}: {} failed: the board sent more than its packet size of {} "
                              "bytes allows",
                              state_.board, doing(), packet_bytes_));
      return;
    case LIBUSB_TRANSFER_TIMED_OUT:
      break;
  }
  state_.fail(ADZE_UNAVAILABLE, fmt::format("board {}: {} failed: transfer status {}", state_.board,
                                            doing(), static_cast<int>(slot.transfer->status)));
}

void InQueue::start() {
  received_.clear();
  for (auto& slot : slots_) {
    if (!slot->in_flight) post(*slot);
  }
}

void InQueue::post(Slot& slot) {
  if (state_.stopping || state_.trouble != ADZE_OK) return;
  do {
    if (submit(slot, transfer_bytes_ / packet_bytes_ * packet_bytes_) != Submitted::no_memory)
      return;
    // One of several transfers can rest until the next start().
    if (in_flight() > 0 || !received_.empty()) return;
  } while (shrink_transfers());
  if (state_.in_flight > 0) {
    state_.starving = this;
  } else {
    fail_for_memory();
  }
}

void InQueue::memory_came_free() {
  if (in_flight() == 0 && received_.empty()) post(*slots_.front());
}

void InQueue::completed(Slot& slot) {
  const auto length_bytes = static_cast<std::size_t>(slot.transfer->actual_length);
  if (length_bytes > 0) {
    received_.push_back({.slot = &slot, .taken_bytes = 0, .length_bytes = length_bytes});
  } else {
    post(slot);
  }
}

std::size_t InQueue::take(std::span<std::byte> into) {
  std::size_t moved = 0;
  while (moved < into.size() && !received_.empty()) {
    Received& first = received_.front();
    const auto count = std::min(into.size() - moved, first.length_bytes - first.taken_bytes);
    std::memcpy(into.data() + moved, first.slot->buffer.data() + first.taken_bytes, count);
    moved += count;
    first.taken_bytes += count;
    if (first.taken_bytes < first.length_bytes) break;
    Slot& emptied = *first.slot;
    received_.pop_front();
    post(emptied);
  }
  return moved;
}

bool InQueue::discard() {
  const bool any = !received_.empty();
  while (!received_.empty()) {
    Slot& emptied = *received_.front().slot;
    received_.pop_front();
    post(emptied);
  }
  return any;
}

std::size_t OutQueue::put(std::span<const std::byte> bytes) {
  const auto free_slot = std::ranges::find_if(slots_, [](const auto& s) { return !s->in_flight; });
  if (free_slot == slots_.end() || in_flight() >= limit_) return 0;
  Slot& slot = **free_slot;
  for (;;) {
    std::size_t count = std::min(bytes.size(), transfer_bytes_);
    // What is sent last ends with a short packet (identity.hpp).
    if (count == bytes.size() && count % packet_bytes_ == 0) --count;
    std::memcpy(slot.buffer.data(), bytes.data(), count);
    const Submitted submitted = submit(slot, count);
    if (submitted == Submitted::yes) return count;
    if (submitted == Submitted::failed) return 0;
    if (in_flight() > 0) {
      limit_ = in_flight();
      return 0;
    }
    if (shrink_transfers()) continue;
    fail_for_memory();
    return 0;
  }
}

void OutQueue::completed(Slot& slot) {
  if (slot.transfer->actual_length == slot.transfer->length) return;
  state_.fail(ADZE_DATA_LOSS,
              fmt::format("board {}: sending failed: the board took {} of {} bytes", state_.board,
                          slot.transfer->actual_length, slot.transfer->length));
}

}  // namespace adze::hil::usb
