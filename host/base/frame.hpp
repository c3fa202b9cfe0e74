// The one frame codec: what travels between host and board, and between a program and its worker.
//
// Little-endian header of 32 bytes: magic u32@0, version u8@4, type u8@5, flags u16@6, stream
// u16@8, part u16@10, seq u32@12, length u32@16, nonce u64@20, CRC32C of bytes 0-27 u32@28;
// then the payload and its CRC32C (4 bytes that `length` does not count; present for an empty
// payload too).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "host/base/error.hpp"

namespace adze::host {

inline constexpr std::uint32_t kFrameMagic = 0x455A4441;  ///< "ADZE"
inline constexpr std::uint8_t kFrameVersion = 1;
inline constexpr std::size_t kFrameHeaderBytes = 32;
inline constexpr std::size_t kMaxFramePayloadBytes = 1u << 20;

enum class FrameType : std::uint8_t {
  request = 1,
  response = 2,
  data = 3,
  progress = 4,
  error = 5,
  cancel = 6
};

/// Frame::flags: no more data frames follow in this stream.
inline constexpr std::uint16_t kFrameLast = 1;

struct Frame {
  FrameType type = FrameType::request;
  std::uint16_t flags = 0;
  std::uint16_t stream = 0;  ///< which tensor or file of a request a data frame belongs to
  std::uint16_t part = 0;    ///< number of a data frame in its stream, modulo 2^16
  std::uint32_t seq = 0;     ///< of the request that this frame is, answers or carries data for
  std::uint64_t nonce = 0;   ///< of the session; 0: before there is one
  std::vector<std::byte> payload;
  bool operator==(const Frame&) const = default;
};

enum class FrameFault {
  bad_magic,
  bad_version,
  bad_type,
  bad_header_checksum,
  too_long,
  bad_payload_checksum
};

/// DATA_LOSS. After bad_payload_checksum the decoder is still in step and goes on behind the frame;
/// after the others the position in the stream is lost and only reset() helps.
struct FrameError : RigError {
  FrameError(FrameFault what_is_wrong, Frame header_only, const std::string& text);
  FrameFault fault;
  Frame header;  ///< bad_payload_checksum: the frame's header, so that its sender can be told
};

/// CRC32C (Castagnoli) of `bytes`; `crc` continues an earlier one.
std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t crc = 0);
/// The same without the CPU's instruction for it: what crc32c() falls back to.
std::uint32_t crc32c_portable(std::span<const std::byte> bytes, std::uint32_t crc = 0);

using FrameHeader = std::array<std::byte, kFrameHeaderBytes>;
/// The header of a frame whose payload is `payload_bytes` long. Errors: INTERNAL for a payload
/// above the limit. [any]
FrameHeader encode_frame_header(const Frame& frame, std::size_t payload_bytes);
/// Header, payload and checksum in one piece.
std::vector<std::byte> encode_frame(const Frame& frame);

/// Bytes in, frames out, in pieces of any size. Holds at most one frame and what was pushed behind
/// it.
class FrameDecoder {
 public:
  void push(std::span<const std::byte> bytes);
  /// nullopt: more bytes are needed. Errors: FrameError.
  std::optional<Frame> next();
  /// Bytes that are missing before next() can say more; 0: call next().
  std::size_t wanted() const;
  /// Forgets all bytes and faults.
  void reset();

 private:
  void parse_header();
  std::span<const std::byte> unread() const { return std::span(buffer_).subspan(position_); }

  std::vector<std::byte> buffer_;
  std::size_t position_ = 0;  ///< of the first byte that is not consumed
  std::optional<Frame> header_;
  std::uint32_t length_ = 0;
  std::optional<FrameError> lost_;
};

}  // namespace adze::host
