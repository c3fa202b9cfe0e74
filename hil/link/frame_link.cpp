#include "hil/link/frame_link.hpp"

#include "host/base/error.hpp"

namespace adze::hil {

void FrameLink::send(const host::Frame& frame, std::span<const std::byte> payload,
                     Deadline deadline) {
  const host::FrameHeader header = host::encode_frame_header(frame, payload.size());
  std::vector<std::byte> body(payload.begin(), payload.end());
  const std::uint32_t sum = host::crc32c(payload);
  const auto tail = std::as_bytes(std::span(&sum, 1));
  body.insert(body.end(), tail.begin(), tail.end());
  link_.write(header, deadline);
  link_.write(body, deadline);
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
}

}  // namespace adze::hil
