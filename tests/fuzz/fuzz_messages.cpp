// Payloads of every message, as either side may receive them.
#include <cstdlib>

#include "hil/protocol/messages.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace adze::hil;
  const auto bytes = std::as_bytes(std::span(data, size));
  const auto try_decode = [&](auto decode) {
    try {
      decode(bytes);
    } catch (const adze::host::Error& error) {
      if (error.code != ADZE_DATA_LOSS && error.code != ADZE_UNIMPLEMENTED) std::abort();
    }
  };
  try_decode(decode_head);
  try_decode(HelloRequest::decode);
  try_decode(HelloReply::decode);
  try_decode(InfoReply::decode);
  try_decode(SlotsReply::decode);
  try_decode(FlashBegin::decode);
  try_decode(FlashBeginReply::decode);
  try_decode(FlashData::decode);
  try_decode(FlashDataReply::decode);
  try_decode(BundleRequest::decode);
  try_decode(FlashCommitReply::decode);
  try_decode(ActivateReply::decode);
  try_decode(LoadReply::decode);
  try_decode(RunRequest::decode);
  try_decode(RunReply::decode);
  try_decode(ProfileReply::decode);
  try_decode(Telemetry::decode);
  try_decode(ProgressNote::decode);
  try_decode(ErrorNote::decode);
  return 0;
}
