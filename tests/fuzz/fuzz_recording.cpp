// A recorded session is a file that somebody else may have written.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "hil/record/recording.hpp"
#include "host/base/error.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace adze::hil;
  try {
    const Recording recording =
        parse_recording({reinterpret_cast<const char*>(data), size}, "fuzz.jsonl");
    // What was read is what would be written.
    std::string text = line_of(recording.header) + "\n";
    for (const Event& event : recording.events) text += line_of(event) + "\n";
    if (parse_recording(text, "again.jsonl").events.size() != recording.events.size())
      __builtin_trap();
  } catch (const adze::host::Error&) {
  }
  return 0;
}
