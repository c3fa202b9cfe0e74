#include "host/base/frame.hpp"

#include <bit>
#include <boost/crc.hpp>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace adze::host {
namespace {

static_assert(std::endian::native == std::endian::little, "frames are written as they are held");

template <class T>
void put(FrameHeader& header, std::size_t at, T value) {
  std::memcpy(header.data() + at, &value, sizeof value);
}

template <class T>
T get(std::span<const std::byte> bytes, std::size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t crc32c_sse42(std::span<const std::byte> bytes,
                                                             std::uint32_t crc) {
  std::uint64_t state = ~crc;
  std::size_t at = 0;
  for (; at + 8 <= bytes.size(); at += 8)
    state = _mm_crc32_u64(state, get<std::uint64_t>(bytes, at));
  auto narrow = static_cast<std::uint32_t>(state);
  for (; at < bytes.size(); ++at)
    narrow = _mm_crc32_u8(narrow, static_cast<std::uint8_t>(bytes[at]));
  return ~narrow;
}
#endif

std::uint32_t reflected(std::uint32_t value) {
  std::uint32_t out = 0;
  for (int bit = 0; bit < 32; ++bit) out |= ((value >> bit) & 1u) << (31 - bit);
  return out;
}

}  // namespace

FrameError::FrameError(FrameFault what_is_wrong, Frame header_only, const std::string& text)
    : RigError(ADZE_DATA_LOSS, text), fault(what_is_wrong), header(std::move(header_only)) {}

std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t crc) {
#if defined(__x86_64__)
  static const bool fast = __builtin_cpu_supports("sse4.2");
  if (fast) return crc32c_sse42(bytes, crc);
#endif
  return crc32c_portable(bytes, crc);
}

std::uint32_t crc32c_portable(std::span<const std::byte> bytes, std::uint32_t crc) {
  // Boost keeps the register unreflected and takes it so.
  boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> sum(reflected(~crc));
  sum.process_bytes(bytes.data(), bytes.size());
  return sum.checksum();
}

FrameHeader encode_frame_header(const Frame& frame, std::size_t payload_bytes) {
  if (payload_bytes > kMaxFramePayloadBytes)
    throw Error(ADZE_INTERNAL, "a frame of " + std::to_string(payload_bytes) +
                                   " bytes was built; the most is " +
                                   std::to_string(kMaxFramePayloadBytes));
  FrameHeader header{};
  put(header, 0, kFrameMagic);
  put(header, 4, kFrameVersion);
  put(header, 5, frame.type);
  put(header, 6, frame.flags);
  put(header, 8, frame.stream);
  put(header, 10, frame.part);
  put(header, 12, frame.seq);
  put(header, 16, static_cast<std::uint32_t>(payload_bytes));
  put(header, 20, frame.nonce);
  put(header, 28, crc32c(std::span(header).first(28)));
  return header;
}

std::vector<std::byte> encode_frame(const Frame& frame) {
  const FrameHeader header = encode_frame_header(frame, frame.payload.size());
  const std::uint32_t sum = crc32c(frame.payload);
  std::vector<std::byte> bytes(kFrameHeaderBytes + frame.payload.size() + sizeof sum);
  std::memcpy(bytes.data(), header.data(), header.size());
  if (!frame.payload.empty())
    std::memcpy(bytes.data() + kFrameHeaderBytes, frame.payload.data(), frame.payload.size());
  std::memcpy(bytes.data() + bytes.size() - sizeof sum, &sum, sizeof sum);
  return bytes;
}

void FrameDecoder::push(std::span<const std::byte> bytes) {
  if (lost_) return;
  if (position_ > 0) {
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(position_));
    position_ = 0;
  }
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
}

std::size_t FrameDecoder::wanted() const {
  if (lost_) return 0;
  const std::size_t need = header_ ? length_ + sizeof(std::uint32_t) : kFrameHeaderBytes;
  const std::size_t have = buffer_.size() - position_;
  return have >= need ? 0 : need - have;
}

void FrameDecoder::parse_header() {
  const auto bytes = unread().first(kFrameHeaderBytes);
  const auto lose = [&](FrameFault fault, const std::string& text) {
    lost_.emplace(fault, Frame{}, "garbage instead of a frame: " + text);
    buffer_.clear();
    position_ = 0;
    throw *lost_;
  };
  if (get<std::uint32_t>(bytes, 0) != kFrameMagic)
    lose(FrameFault::bad_magic,
         "it does not begin with the magic number; the other side does not "
         "speak this protocol, or bytes were lost");
  // The checksum comes before any other field is believed.
  if (get<std::uint32_t>(bytes, 28) != crc32c(bytes.first(28)))
    lose(FrameFault::bad_header_checksum, "the header's checksum is wrong; check the cable");
  if (const auto version = get<std::uint8_t>(bytes, 4); version != kFrameVersion)
    lose(FrameFault::bad_version, "frame version " + std::to_string(version) +
                                      ", this program speaks " + std::to_string(kFrameVersion) +
                                      "; update the older side");
  const auto type = get<std::uint8_t>(bytes, 5);
  if (type < 1 || type > 6) lose(FrameFault::bad_type, "type " + std::to_string(type));
  const auto length = get<std::uint32_t>(bytes, 16);
  if (length > kMaxFramePayloadBytes)
    lose(FrameFault::too_long, "it claims " + std::to_string(length) + " bytes, the most is " +
                                   std::to_string(kMaxFramePayloadBytes));
  header_ = Frame{.type = static_cast<FrameType>(type),
                  .flags = get<std::uint16_t>(bytes, 6),
                  .stream = get<std::uint16_t>(bytes, 8),
                  .part = get<std::uint16_t>(bytes, 10),
                  .seq = get<std::uint32_t>(bytes, 12),
                  .nonce = get<std::uint64_t>(bytes, 20),
                  .payload = {}};
  length_ = length;
  position_ += kFrameHeaderBytes;
}

std::optional<Frame> FrameDecoder::next() {
  if (lost_) throw *lost_;
  if (!header_) {
    if (wanted() > 0) return std::nullopt;
    parse_header();
  }
  if (wanted() > 0) return std::nullopt;
  Frame frame = std::move(*header_);
  header_.reset();
  const auto payload = unread().first(length_);
  const auto sum = get<std::uint32_t>(unread(), length_);
  position_ += length_ + sizeof(std::uint32_t);
  if (sum != crc32c(payload))
    throw FrameError(
        FrameFault::bad_payload_checksum, std::move(frame),
        "the checksum of a frame's " + std::to_string(payload.size()) +
            " bytes is wrong: they were damaged on the way; check the cable and retry");
  frame.payload.assign(payload.begin(), payload.end());
  return frame;
}

void FrameDecoder::reset() { *this = {}; }

}  // namespace adze::host
