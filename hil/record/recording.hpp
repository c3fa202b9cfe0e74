// A session with a board as a file: what the host sent and every byte that came back, in order, so
// that it can be gone through again without the board.
//
// JSON lines. The first says who made it: {"adze_recording": 1, "adze": version, "arguments": [],
// "files": {path: SHA-256}}. Each other line is an event, an object with one member named after it:
//   {"open": {"address", "client", "timeouts_ms": {}}}
//   {"sent": {"type", "verb", "seq", "stream", "part", "flags", "bytes", "sha256"}}   a whole frame
//   {"received": base64}   what one read gave
//   {"reset": {}}  {"failed": {"code", "text"}}   what an open, a read or a write met
//   {"exit": code}   how the command ended; the last line
// What the host sent is there by its hash alone: it is made again when the recording is replayed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "hil/session/session.hpp"

namespace adze::hil {

struct Opened {
  std::string address, client;
  SessionTimeouts timeouts;
};

struct SentFrame {
  std::string type;  ///< "request", "data", ...
  std::string verb;  ///< of a request
  std::uint32_t seq = 0;
  std::uint16_t stream = 0, part = 0, flags = 0;
  std::uint64_t bytes = 0;
  std::string sha256;  ///< of the payload
  bool operator==(const SentFrame&) const = default;
};
SentFrame describe(const host::Frame& frame);
/// "request 'run' 7 (214 bytes)".
std::string text_of(const SentFrame& frame);

struct Received {
  std::vector<std::byte> bytes;
};
struct WasReset {};
struct Failed {
  adze_status code = ADZE_UNAVAILABLE;
  std::string text;
};
struct Ended {
  int exit = 0;
};
using Event = std::variant<Opened, SentFrame, Received, WasReset, Failed, Ended>;

struct RecordingHeader {
  std::string adze;                          ///< version
  std::vector<std::string> arguments;        ///< of the command, without the program
  std::map<std::string, std::string> files;  ///< SHA-256 of the files among the arguments
};
/// For the arguments of a command about to be run.
RecordingHeader header_for(std::vector<std::string> arguments, const std::string& version);

struct Recording {
  RecordingHeader header;
  std::vector<Event> events;  ///< event i is on line i + 2
};

/// One line without its end.
std::string line_of(const RecordingHeader& header);
std::string line_of(const Event& event);
/// Errors: DATA_LOSS naming file and line for what is no recording, UNIMPLEMENTED for one of a
/// later format.
Recording parse_recording(std::string_view text, const std::filesystem::path& file);
Recording read_recording(const std::filesystem::path& file);

}  // namespace adze::hil
