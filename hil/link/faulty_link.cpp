#include "hil/link/faulty_link.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "host/base/error.hpp"
#include "host/base/frame.hpp"

namespace adze::hil {
namespace {

constexpr std::size_t kSumBytes = 4, kReadBytes = 64u << 10, kShortBytes = 16;

std::uint32_t word_at(std::span<const std::byte> bytes, std::size_t offset) {
  std::uint32_t word = 0;
  std::memcpy(&word, bytes.data() + offset, sizeof word);
  return word;
}

}  // namespace

FaultyLink::FaultyLink(Link& link, const LinkFaults& faults, std::uint64_t seed,
                       FaultHistory& history)
    : link_(link),
      faults_(faults),
      history_(history),
      random_(seed + history.links.fetch_add(1) * 0x9E3779B97F4A7C15u),
      buffer_(kReadBytes) {}

bool FaultyLink::happens(double rate) {
  return rate > 0 && static_cast<double>(random_() >> 11) * 0x1p-53 < rate;
}

void FaultyLink::pass(Direction& direction, std::vector<std::byte> frame) {
  const std::uint64_t number = history_.frames.fetch_add(1);
  if (faults_.stall_at && number >= *faults_.stall_at && !history_.stalled.exchange(true))
    silent_ = true;
  if (silent_) return;
  if (happens(faults_.delay)) ::usleep(static_cast<useconds_t>(faults_.delay_ms * 1000));
  if (happens(faults_.drop)) return;
  if (happens(faults_.corrupt_header)) frame[random_() % 28] ^= std::byte{4};
  if (happens(faults_.corrupt))
    frame[host::kFrameHeaderBytes + random_() % (frame.size() - host::kFrameHeaderBytes)] ^=
        std::byte{16};
  const bool twice = happens(faults_.duplicate), later = happens(faults_.reorder);
  if (later && direction.held.empty()) {
    direction.held = std::move(frame);
    return;
  }
  const auto add = [&](const std::vector<std::byte>& bytes) {
    direction.ready.insert(direction.ready.end(), bytes.begin(), bytes.end());
  };
  add(frame);
  if (twice) add(frame);
  add(direction.held);
  direction.held.clear();
}

void FaultyLink::take(Direction& direction, std::span<const std::byte> bytes) {
  std::vector<std::byte>& partial = direction.partial;
  partial.insert(partial.end(), bytes.begin(), bytes.end());
  std::size_t at = 0;
  while (partial.size() - at >= host::kFrameHeaderBytes) {
    const auto rest = std::span(partial).subspan(at);
    const std::uint32_t length = word_at(rest, 16);
    if (word_at(rest, 0) != host::kFrameMagic || length > host::kMaxFramePayloadBytes) {
      direction.ready.insert(direction.ready.end(), rest.begin(), rest.end());
      at = partial.size();
      break;
    }
    const std::size_t size = host::kFrameHeaderBytes + length + kSumBytes;
    if (rest.size() < size) break;
    pass(direction, {rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(size)});
    at += size;
  }
  partial.erase(partial.begin(), partial.begin() + static_cast<std::ptrdiff_t>(at));
}

void FaultyLink::check_disconnect() {
  if (faults_.disconnect_at && history_.bytes >= *faults_.disconnect_at &&
      !history_.disconnected.exchange(true))
    dead_ = true;
  if (dead_) throw host::RigError(ADZE_UNAVAILABLE, "the simulated cable was pulled");
}

void FaultyLink::write(std::span<const std::byte> bytes, Deadline deadline) {
  check_disconnect();
  history_.bytes += bytes.size();
  take(out_, bytes);
  if (out_.ready.empty()) return;
  const std::vector<std::byte> ready = std::exchange(out_.ready, {});
  link_.write(ready, deadline);
}

std::size_t FaultyLink::read(std::span<std::byte> into, Deadline deadline) {
  check_disconnect();
  while (in_.ready.empty()) {
    const std::size_t got = link_.read(buffer_, deadline);
    history_.bytes += got;
    check_disconnect();
    take(in_, std::span(buffer_).first(got));
  }
  std::size_t count = std::min(into.size(), in_.ready.size());
  if (happens(faults_.short_read)) count = std::min(count, 1 + random_() % kShortBytes);
  std::copy_n(in_.ready.begin(), count, into.begin());
  in_.ready.erase(in_.ready.begin(), in_.ready.begin() + static_cast<std::ptrdiff_t>(count));
  return count;
}

void FaultyLink::reset() {
  link_.reset();
  in_ = out_ = {};
}

}  // namespace adze::hil
