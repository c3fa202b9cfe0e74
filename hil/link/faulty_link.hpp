// A link that does to frames what cables, hubs and crowded machines do.
#pragma once

#include <atomic>
#include <random>
#include <vector>

#include "hil/link/faults.hpp"
#include "hil/link/link.hpp"

namespace adze::hil {

/// What faults that happen once have used up; one for all links of an agent. [any] thread.
struct FaultHistory {
  std::atomic<std::uint64_t> frames = 0, bytes = 0, links = 0;
  std::atomic<bool> stalled = false, disconnected = false;
};

/// Frames are found by their headers; bytes that are none pass. `link` and `history` must outlive
/// it.
class FaultyLink : public Link {
 public:
  FaultyLink(Link& link, const LinkFaults& faults, std::uint64_t seed, FaultHistory& history);
  std::string name() const override { return link_.name(); }
  void write(std::span<const std::byte> bytes, Deadline deadline) override;
  std::size_t read(std::span<std::byte> into, Deadline deadline) override;
  void reset() override;
  std::string token() const override { return link_.token(); }
  bool is_stream() const override { return link_.is_stream(); }

 private:
  struct Direction {
    std::vector<std::byte> partial, held, ready;
  };
  void take(Direction& direction, std::span<const std::byte> bytes);
  void pass(Direction& direction, std::vector<std::byte> frame);
  bool happens(double rate);
  void check_disconnect();

  Link& link_;
  LinkFaults faults_;
  FaultHistory& history_;
  std::mt19937_64 random_;
  Direction out_, in_;
  std::vector<std::byte> buffer_;
  bool dead_ = false, silent_ = false;
};

}  // namespace adze::hil
