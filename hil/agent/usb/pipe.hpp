// The byte stream between host and agent over the two bulk endpoints of a gadget, cut into sessions
// as the host begins and ends them (hil/link/usb/identity.hpp).
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>

#include "hil/link/link.hpp"

namespace adze::hil::usb {

/// Not all controllers can do more in one go; a multiple of every packet size.
inline constexpr std::size_t kTransferBytes = 16 * 1024;
/// In each direction; what the agent has not taken yet stays in them, so they bound its memory.
inline constexpr std::size_t kTransfers = 32;

struct Transfer {
  Transfer() : buffer(kTransferBytes) {}
  std::vector<std::byte> buffer;
  std::size_t length_bytes = kTransferBytes;  ///< asked for
  std::int64_t result = 0;                    ///< bytes that went over, or a negative error number
  bool in_flight = false;
};

/// The endpoints as the kernel has them. Transfers of one direction are done in their order.
class BulkEndpoints {
 public:
  virtual ~BulkEndpoints() = default;
  /// From the host, and to it. 0, or an error number, and then the transfer does not come back.
  virtual int receive(Transfer& transfer) = 0;
  virtual int send(Transfer& transfer) = 0;
  /// It comes back soon, in whatever state.
  virtual void cancel(Transfer& transfer) = 0;
  /// The host finds both endpoints stalled until it clears that.
  virtual void stall() = 0;
  /// Those that are over; waits until there is one or the deadline has passed.
  virtual std::vector<Transfer*> collect(Deadline deadline) = 0;
};

/// The host's requests and the results of transfers come from one thread, that of the endpoints;
/// links are used by others.
class GadgetPipe {
 public:
  /// `name` is what links call themselves. The endpoints must outlive the pipe.
  GadgetPipe(BulkEndpoints& endpoints, std::string name);
  GadgetPipe(const GadgetPipe&) = delete;
  GadgetPipe& operator=(const GadgetPipe&) = delete;

  // Of the endpoints' thread.
  /// The host begins a session; one that was open ends, with all that was under way.
  void begin();
  /// The host ends the session: what it sent before can still be read.
  void end();
  /// The host is gone, or has configured the gadget anew.
  void lose(const std::string& why);
  /// Takes note of transfers that are over.
  void deliver(Deadline deadline);

  // Of the agent.
  /// The session that was begun last, once; nullptr: none until the deadline. The pipe must outlive
  /// the link.
  std::unique_ptr<Link> accept(Deadline deadline);

 private:
  class SessionLink;
  using Lock = std::unique_lock<std::mutex>;

  void write(std::uint64_t session, std::span<const std::byte> bytes, Deadline deadline);
  std::size_t read(std::uint64_t session, std::span<std::byte> into, Deadline deadline);
  void discard(std::uint64_t session);
  /// The agent closes it: what it wrote goes out, then both endpoints stall.
  void hang_up(std::uint64_t session);

  void close(const std::string& why);
  void take_back();
  void cancel_all();
  void fail(const std::string& why);
  void check(std::uint64_t session) const;
  bool is_open(std::uint64_t session) const { return session == session_ && open_; }
  bool wait(Lock& lock, Deadline deadline);
  void post_receives();
  std::size_t take(std::span<std::byte> into);
  std::size_t sending() const;
  std::size_t in_flight() const;

  BulkEndpoints& endpoints_;
  const std::string name_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::array<Transfer, kTransfers> in_, out_;
  std::deque<Transfer*> received_;  ///< of in_, in flight or not read yet, in order
  std::size_t taken_bytes_ = 0;     ///< of the first of them
  std::uint64_t session_ = 0;       ///< of how many the last one is
  std::uint64_t accepted_ = 0;
  bool open_ = false;      ///< the session is not over
  bool stopping_ = false;  ///< transfers are taken back, and none is made
  std::string why_closed_ = "no host has begun a session";
};

}  // namespace adze::hil::usb
