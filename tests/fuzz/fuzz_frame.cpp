// Whatever arrives on a link: the decoder takes it in pieces whose sizes the input chooses too.
#include <cstdlib>

#include "host/base/frame.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace adze::host;
  if (size == 0) return 0;
  const auto bytes = std::as_bytes(std::span(data, size)).subspan(1);
  const std::size_t piece = 1 + data[0];
  FrameDecoder decoder;
  try {
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      decoder.push(bytes.subspan(at, std::min(piece, bytes.size() - at)));
      while (const auto frame = decoder.next()) {
        // What was accepted must come out of the encoder as it went in.
        FrameDecoder again;
        again.push(encode_frame(*frame));
        if (again.next() != frame) std::abort();
      }
    }
  } catch (const FrameError&) {
  }
  return 0;
}
