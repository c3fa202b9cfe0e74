#include "hil/agent/usb/pipe.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "host/base/error.hpp"

namespace adze::hil::usb {
namespace {

using host::RigError;

/// A transfer that ends in a packet shorter than this is short at every speed.
constexpr std::size_t kSmallestPacketBytes = 64;
/// The kernel takes a transfer back at once, unless the controller is stuck.
constexpr std::int64_t kTakeBackMs = 2000;
/// What is written last may say why the agent closes.
constexpr std::int64_t kGoodbyeMs = 2000;

/// Empty: it went well, or was taken back.
std::string trouble_of(const Transfer& transfer) {
  if (transfer.result == -ESHUTDOWN) return "the host let go of the board, or its cable is out";
  if (transfer.result == -ECONNRESET) return "";
  if (transfer.result < 0)
    return std::string("USB failed: ") + std::strerror(static_cast<int>(-transfer.result));
  return "";
}

}  // namespace

class GadgetPipe::SessionLink final : public Link {
 public:
  SessionLink(GadgetPipe& pipe, std::uint64_t session) : pipe_(pipe), session_(session) {}
  ~SessionLink() override { pipe_.hang_up(session_); }
  std::string name() const override { return pipe_.name_; }
  void write(std::span<const std::byte> bytes, Deadline deadline) override {
    pipe_.write(session_, bytes, deadline);
  }
  std::size_t read(std::span<std::byte> into, Deadline deadline) override {
    return pipe_.read(session_, into, deadline);
  }
  void reset() override { pipe_.discard(session_); }

 private:
  GadgetPipe& pipe_;
  const std::uint64_t session_;
};

GadgetPipe::GadgetPipe(BulkEndpoints& endpoints, std::string name)
    : endpoints_(endpoints), name_(std::move(name)) {}

void GadgetPipe::begin() {
  close("the host began another session");
  const Lock lock(mutex_);
  std::erase_if(received_, [](const Transfer* transfer) { return !transfer->in_flight; });
  taken_bytes_ = 0;
  ++session_;
  open_ = true;
  post_receives();
  changed_.notify_all();
}

void GadgetPipe::end() { close("the host ended the session"); }

void GadgetPipe::lose(const std::string& why) { close(why); }

/// All that came before is there to be read when the session is seen closed.
void GadgetPipe::close(const std::string& why) {
  take_back();
  const Lock lock(mutex_);
  stopping_ = false;
  fail(why);
}

void GadgetPipe::take_back() {
  {
    const Lock lock(mutex_);
    stopping_ = true;
    cancel_all();
  }
  const Deadline end = host::after_ms(kTakeBackMs);
  for (;;) {
    {
      const Lock lock(mutex_);
      if (in_flight() == 0) return;
    }
    if (host::remaining_ms(end) == 0) return;
    deliver(end);
  }
}

void GadgetPipe::cancel_all() {
  // Last first: otherwise the controller would start the next one while the first is taken back.
  for (auto* direction : {&in_, &out_})
    for (auto transfer = direction->rbegin(); transfer != direction->rend(); ++transfer)
      if (transfer->in_flight) endpoints_.cancel(*transfer);
}

void GadgetPipe::fail(const std::string& why) {
  if (!open_) return;
  open_ = false;
  why_closed_ = why;
  changed_.notify_all();
}

void GadgetPipe::deliver(Deadline deadline) {
  const std::vector<Transfer*> over = endpoints_.collect(deadline);
  const Lock lock(mutex_);
  for (Transfer* transfer : over) {
    transfer->in_flight = false;
    if (const std::string trouble = trouble_of(*transfer); !trouble.empty()) fail(trouble);
  }
  if (!over.empty()) changed_.notify_all();
}

std::unique_ptr<Link> GadgetPipe::accept(Deadline deadline) {
  Lock lock(mutex_);
  while (!open_ || accepted_ == session_)
    if (!wait(lock, deadline)) return nullptr;
  accepted_ = session_;
  return std::make_unique<SessionLink>(*this, session_);
}

bool GadgetPipe::wait(Lock& lock, Deadline deadline) {
  return changed_.wait_until(lock, deadline) == std::cv_status::no_timeout ||
         host::remaining_ms(deadline) > 0;
}

void GadgetPipe::check(std::uint64_t session) const {
  if (is_open(session)) return;
  throw RigError(ADZE_UNAVAILABLE,
                 "lost the host at " + name_ + ": " +
                     (session == session_ ? why_closed_ : "the host began another session"));
}

void GadgetPipe::write(std::uint64_t session, std::span<const std::byte> bytes, Deadline deadline) {
  Lock lock(mutex_);
  while (!bytes.empty()) {
    check(session);
    const auto free = std::ranges::find(out_, false, &Transfer::in_flight);
    if (free == out_.end() || stopping_) {
      if (wait(lock, deadline)) continue;
      throw RigError(ADZE_DEADLINE_EXCEEDED, "the host at " + name_ +
                                                 " did not take what was sent before the time "
                                                 "was up");
    }
    std::size_t count = std::min(bytes.size(), kTransferBytes);
    // What is sent last ends with a short packet (identity.hpp).
    if (count == bytes.size() && count % kSmallestPacketBytes == 0) --count;
    std::memcpy(free->buffer.data(), bytes.data(), count);
    free->length_bytes = count;
    bytes = bytes.subspan(count);
    if (const int error = endpoints_.send(*free)) {
      fail(std::string("cannot send: ") + std::strerror(error));
    } else {
      free->in_flight = true;
    }
  }
}

std::size_t GadgetPipe::read(std::uint64_t session, std::span<std::byte> into, Deadline deadline) {
  Lock lock(mutex_);
  for (;;) {
    // What came before the session was over is still good.
    if (session == session_)
      if (const std::size_t count = take(into); count > 0 || into.empty()) return count;
    check(session);
    if (!wait(lock, deadline))
      throw RigError(ADZE_DEADLINE_EXCEEDED,
                     "the host at " + name_ + " sent nothing before the time was up");
  }
}

std::size_t GadgetPipe::take(std::span<std::byte> into) {
  std::size_t moved = 0;
  while (moved < into.size() && !received_.empty() && !received_.front()->in_flight) {
    Transfer& first = *received_.front();
    const auto length_bytes = static_cast<std::size_t>(std::max<std::int64_t>(first.result, 0));
    const std::size_t count = std::min(into.size() - moved, length_bytes - taken_bytes_);
    std::memcpy(into.data() + moved, first.buffer.data() + taken_bytes_, count);
    moved += count;
    taken_bytes_ += count;
    if (taken_bytes_ < length_bytes) break;
    received_.pop_front();
    taken_bytes_ = 0;
    post_receives();
  }
  return moved;
}

void GadgetPipe::post_receives() {
  for (Transfer& transfer : in_) {
    if (!open_ || stopping_) return;
    if (std::ranges::find(received_, &transfer) != received_.end()) continue;
    if (const int error = endpoints_.receive(transfer)) {
      fail(std::string("cannot receive: ") + std::strerror(error));
      return;
    }
    transfer.in_flight = true;
    received_.push_back(&transfer);
  }
}

void GadgetPipe::discard(std::uint64_t session) {
  const Lock lock(mutex_);
  if (session != session_) return;
  std::array<std::byte, kTransferBytes> waste;
  while (take(waste) > 0) {
  }
}

void GadgetPipe::hang_up(std::uint64_t session) {
  Lock lock(mutex_);
  const Deadline goodbye = host::after_ms(kGoodbyeMs);
  while (is_open(session) && (stopping_ || sending() > 0) && wait(lock, goodbye)) {
  }
  if (!is_open(session) || stopping_) return;
  fail("the agent closed the connection");
  cancel_all();
  const Deadline end = host::after_ms(kTakeBackMs);
  while (session == session_ && in_flight() > 0 && wait(lock, end)) {
  }
  if (session == session_) endpoints_.stall();
}

std::size_t GadgetPipe::sending() const {
  return static_cast<std::size_t>(std::ranges::count(out_, true, &Transfer::in_flight));
}

std::size_t GadgetPipe::in_flight() const {
  return sending() + static_cast<std::size_t>(std::ranges::count(in_, true, &Transfer::in_flight));
}

}  // namespace adze::hil::usb
