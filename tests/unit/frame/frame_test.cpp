#include "host/base/frame.hpp"

#include <cstring>
#include <random>

namespace adze::host {
namespace {

Frame example(std::size_t payload_bytes) {
  Frame frame{.type = FrameType::data,
              .flags = kFrameLast,
              .stream = 7,
              .seq = 0x01020304,
              .nonce = 0x1122334455667788,
              .payload = std::vector<std::byte>(payload_bytes)};
  for (std::size_t i = 0; i < payload_bytes; ++i) frame.payload[i] = std::byte(i * 31 & 255);
  return frame;
}

/// What the decoder says of `bytes`; nullopt when it takes them or waits for more.
std::optional<FrameFault> fault_of(std::span<const std::byte> bytes) {
  FrameDecoder decoder;
  decoder.push(bytes);
  try {
    while (decoder.next()) {
    }
  } catch (const FrameError& error) {
    return error.fault;
  }
  return std::nullopt;
}

/// Changes a header field and makes its checksum right again.
std::vector<std::byte> with_header_byte(std::size_t at, std::uint8_t value) {
  std::vector<std::byte> bytes = encode_frame(example(10));
  bytes[at] = std::byte(value);
  const std::uint32_t sum = crc32c(std::span(bytes).first(28));
  std::memcpy(bytes.data() + 28, &sum, sizeof sum);
  return bytes;
}

TEST(Crc32c, equals_the_published_check_value) {
  const std::string digits = "123456789";
  EXPECT_EQ(crc32c(std::as_bytes(std::span(digits))), 0xE3069283u);
  EXPECT_EQ(crc32c_portable(std::as_bytes(std::span(digits))), 0xE3069283u);
  EXPECT_EQ(crc32c({}), 0u);
}

TEST(Crc32c, of_parts_continues_to_that_of_the_whole) {
  const Frame frame = example(1001);
  const std::span<const std::byte> bytes = frame.payload;
  for (const std::size_t cut : {0, 1, 7, 8, 500, 1001})
    EXPECT_EQ(crc32c(bytes.subspan(cut), crc32c(bytes.first(cut))), crc32c(bytes));
  for (const std::size_t cut : {0, 3, 1001})
    EXPECT_EQ(crc32c_portable(bytes.subspan(cut), crc32c_portable(bytes.first(cut))),
              crc32c(bytes));
}

TEST(Frame, header_has_the_documented_layout) {
  const std::vector<std::byte> bytes = encode_frame(example(3));
  ASSERT_EQ(bytes.size(), 32u + 3u + 4u);
  const auto byte = [&](std::size_t at) { return static_cast<unsigned>(bytes[at]); };
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(bytes.data()), 4), "ADZE");
  EXPECT_EQ(byte(4), 1u);
  EXPECT_EQ(byte(5), 3u);
  EXPECT_EQ(byte(6), 1u);
  EXPECT_EQ(byte(8), 7u);
  EXPECT_EQ(byte(12), 4u);
  EXPECT_EQ(byte(15), 1u);
  EXPECT_EQ(byte(16), 3u);
  EXPECT_EQ(byte(20), 0x88u);
  EXPECT_EQ(byte(27), 0x11u);
}

TEST(Frame, survives_the_way_in_pieces_of_any_size) {
  std::vector<std::byte> stream;
  std::vector<Frame> sent;
  for (const std::size_t size : {0, 1, 31, 4096}) {
    sent.push_back(example(size));
    const auto bytes = encode_frame(sent.back());
    stream.insert(stream.end(), bytes.begin(), bytes.end());
  }
  for (const std::size_t piece : {1, 5, 32, 33, 10000}) {
    FrameDecoder decoder;
    std::vector<Frame> received;
    for (std::size_t at = 0; at < stream.size(); at += piece) {
      decoder.push(std::span(stream).subspan(at, std::min(piece, stream.size() - at)));
      while (auto frame = decoder.next()) received.push_back(*frame);
    }
    EXPECT_EQ(received, sent) << "pieces of " << piece;
  }
}

TEST(Frame, decoder_says_how_much_it_wants) {
  const auto bytes = encode_frame(example(100));
  FrameDecoder decoder;
  EXPECT_EQ(decoder.wanted(), 32u);
  decoder.push(std::span(bytes).first(40));
  EXPECT_FALSE(decoder.next());
  EXPECT_EQ(decoder.wanted(), 100u + 4u - 8u);
}

TEST(Frame, largest_payload_passes_and_a_larger_one_is_not_built) {
  FrameDecoder decoder;
  decoder.push(encode_frame(example(kMaxFramePayloadBytes)));
  EXPECT_EQ(decoder.next()->payload.size(), kMaxFramePayloadBytes);
  EXPECT_THROW(encode_frame(example(kMaxFramePayloadBytes + 1)), Error);
}

TEST(Frame, names_each_fault_of_a_header) {
  std::vector<std::byte> garbage(64, std::byte{0xA5});
  EXPECT_EQ(fault_of(garbage), FrameFault::bad_magic);
  EXPECT_EQ(fault_of(with_header_byte(4, 2)), FrameFault::bad_version);
  EXPECT_EQ(fault_of(with_header_byte(5, 0)), FrameFault::bad_type);
  EXPECT_EQ(fault_of(with_header_byte(5, 7)), FrameFault::bad_type);
  EXPECT_EQ(fault_of(with_header_byte(19, 255)), FrameFault::too_long);
  std::vector<std::byte> flipped = encode_frame(example(10));
  flipped[21] ^= std::byte{1};
  EXPECT_EQ(fault_of(flipped), FrameFault::bad_header_checksum);
}

TEST(Frame, a_lost_stream_stays_lost_until_reset) {
  FrameDecoder decoder;
  decoder.push(std::vector<std::byte>(32));
  EXPECT_THROW(decoder.next(), FrameError);
  decoder.push(encode_frame(example(1)));
  EXPECT_THROW(decoder.next(), FrameError);
  decoder.reset();
  decoder.push(encode_frame(example(1)));
  EXPECT_TRUE(decoder.next());
}

TEST(Frame, a_damaged_payload_costs_one_frame_and_names_it) {
  std::vector<std::byte> stream = encode_frame(example(50));
  stream[40] ^= std::byte{4};
  const auto second = encode_frame(example(2));
  stream.insert(stream.end(), second.begin(), second.end());
  FrameDecoder decoder;
  decoder.push(stream);
  try {
    decoder.next();
    FAIL() << "a damaged payload was accepted";
  } catch (const FrameError& error) {
    EXPECT_EQ(error.fault, FrameFault::bad_payload_checksum);
    EXPECT_EQ(error.header.seq, 0x01020304u);
    EXPECT_EQ(error.code, ADZE_DATA_LOSS);
  }
  EXPECT_EQ(decoder.next()->payload.size(), 2u);
}

TEST(Frame, no_mutation_of_a_stream_passes_as_another_frame) {
  std::mt19937 random(7);
  const Frame original = example(200);
  const std::vector<std::byte> clean = encode_frame(original);
  for (int round = 0; round < 20000; ++round) {
    std::vector<std::byte> bytes = clean;
    const int changes = 1 + static_cast<int>(random() % 4);
    for (int i = 0; i < changes; ++i) bytes[random() % bytes.size()] ^= std::byte(random() & 255);
    if (random() % 4 == 0) bytes.resize(random() % bytes.size());
    FrameDecoder decoder;
    try {
      for (std::size_t at = 0; at < bytes.size();) {
        const std::size_t piece = std::min<std::size_t>(1 + random() % 64, bytes.size() - at);
        decoder.push(std::span(bytes).subspan(at, piece));
        at += piece;
        const auto frame = decoder.next();
        EXPECT_TRUE(!frame || *frame == original);
      }
    } catch (const FrameError&) {
    }
  }
}

}  // namespace
}  // namespace adze::host
