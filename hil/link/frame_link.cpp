#include "hil/link/frame_link.hpp"

#include <utility>

#include "host/base/error.hpp"

namespace adze::hil {

void FrameLink::send(const host::Frame& frame, std::span<const std::byte> payload,
                     Deadline deadline, Send when) {
  const host::FrameHeader header = host::encode_frame_header(frame, payload.size());
  const std::uint32_t sum = host::crc32c(payload);
  const auto tail = std::as_bytes(std::span(&sum, 1));
  waiting_.insert(waiting_.end(), header.begin(), header.end());
  if (!link_.is_stream()) flush(deadline);
  waiting_.insert(waiting_.end(), payload.begin(), payload.end());
  waiting_.insert(waiting_.end(), tail.begin(), tail.end());
  if (when == Send::now || !link_.is_stream() || waiting_.size() >= kMostWaitingBytes)
    flush(deadline);
}

void FrameLink::flush(Deadline deadline) {
  if (waiting_.empty()) return;
  // What a failed write left is not sent again.
  const std::vector<std::byte> bytes = std::exchange(waiting_, {});
  link_.write(bytes, deadline);
}

host::Frame FrameLink::receive(Deadline deadline) {
  for (;;) {
    if (auto frame = decoder_.next()) return std::move(*frame);
    const std::size_t got = link_.read(buffer_, deadline);
    decoder_.push(std::span(buffer_).first(got));
  }
}

std::optional<host::Frame> FrameLink::receive_before(Deadline deadline) {
  try {
    return receive(deadline);
  } catch (const host::RigError& error) {
    if (error.code == ADZE_DEADLINE_EXCEEDED) return std::nullopt;
    throw;
  }
}

void FrameLink::reset() {
  link_.reset();
  decoder_.reset();
  waiting_.clear();
}

}  // namespace adze::hil
