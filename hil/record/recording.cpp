#include "hil/record/recording.hpp"

#include <nlohmann/json.hpp>

#include "host/base/error.hpp"
#include "host/base/file.hpp"
#include "host/base/hash.hpp"
#include "host/base/text.hpp"

namespace adze::hil {
namespace {

using nlohmann::json;

constexpr int kFormat = 1;
constexpr std::uint64_t kMaxBytes = 4ull << 30;
constexpr const char* kTypes[] = {"request", "response", "data", "progress", "error", "cancel"};

/// The members of timeouts_ms.
constexpr std::pair<const char*, std::int64_t SessionTimeouts::*> kTimeouts[] = {
    {"hello", &SessionTimeouts::hello_ms},    {"quick", &SessionTimeouts::quick_ms},
    {"store", &SessionTimeouts::store_ms},    {"load", &SessionTimeouts::load_ms},
    {"run", &SessionTimeouts::run_ms},        {"silence", &SessionTimeouts::silence_ms},
    {"recover", &SessionTimeouts::recover_ms}};

struct ToJson {
  json operator()(const Opened& opened) const {
    json timeouts{{"attempts", opened.timeouts.attempts}};
    for (const auto& [name, member] : kTimeouts) timeouts[name] = opened.timeouts.*member;
    return {{"open",
             {{"address", opened.address},
              {"client", opened.client},
              {"timeouts_ms", std::move(timeouts)}}}};
  }
  json operator()(const SentFrame& frame) const {
    json sent{{"type", frame.type},     {"seq", frame.seq},     {"stream", frame.stream},
              {"part", frame.part},     {"flags", frame.flags}, {"bytes", frame.bytes},
              {"sha256", frame.sha256}, {"verb", frame.verb}};
    return {{"sent", std::move(sent)}};
  }
  json operator()(const Received& received) const {
    return {{"received", host::base64(received.bytes)}};
  }
  json operator()(WasReset) const { return {{"reset", json::object()}}; }
  json operator()(const Failed& failed) const {
    return {{"failed", {{"code", failed.code}, {"text", failed.text}}}};
  }
  json operator()(Ended ended) const { return {{"exit", ended.exit}}; }
};

/// Throws what nlohmann-json throws; the caller knows the line.
Event event_of(const json& line) {
  const std::string& name = line.begin().key();
  const json& content = line.begin().value();
  if (name == "open") {
    Opened opened{.address = content.at("address"), .client = content.at("client"), .timeouts = {}};
    const json& timeouts = content.at("timeouts_ms");
    timeouts.at("attempts").get_to(opened.timeouts.attempts);
    for (const auto& [key, member] : kTimeouts) timeouts.at(key).get_to(opened.timeouts.*member);
    return opened;
  }
  if (name == "sent")
    return SentFrame{.type = content.at("type"),
                     .verb = content.at("verb"),
                     .seq = content.at("seq"),
                     .stream = content.at("stream"),
                     .part = content.at("part"),
                     .flags = content.at("flags"),
                     .bytes = content.at("bytes"),
                     .sha256 = content.at("sha256")};
  if (name == "received") return Received{host::from_base64(content.get_ref<const std::string&>())};
  if (name == "reset") return WasReset{};
  if (name == "failed") {
    Failed failed{.code = content.at("code"), .text = content.at("text")};
    if (failed.code <= ADZE_OK || failed.code > ADZE_UNAUTHENTICATED)
      throw host::Error(ADZE_DATA_LOSS, "the code of a failure is none");
    return failed;
  }
  if (name == "exit") return Ended{content.get<int>()};
  throw host::Error(ADZE_DATA_LOSS, "no event is called '" + host::one_line(name, 40) + "'");
}

RecordingHeader header_of(const json& line) {
  if (const int format = line.at("adze_recording"); format != kFormat)
    throw host::Error(ADZE_UNIMPLEMENTED, "its format is " + std::to_string(format) +
                                              ", this version reads " + std::to_string(kFormat));
  return {.adze = line.at("adze"), .arguments = line.at("arguments"), .files = line.at("files")};
}

}  // namespace

SentFrame describe(const host::Frame& frame) {
  SentFrame sent{.type = kTypes[static_cast<std::size_t>(frame.type) - 1],
                 .verb = "",
                 .seq = frame.seq,
                 .stream = frame.stream,
                 .part = frame.part,
                 .flags = frame.flags,
                 .bytes = frame.payload.size(),
                 .sha256 = host::sha256_hex(frame.payload)};
  if (frame.type == host::FrameType::request)
    sent.verb = verb_name(decode_head(frame.payload).verb);
  return sent;
}

std::string text_of(const SentFrame& frame) {
  return frame.type + (frame.verb.empty() ? "" : " '" + frame.verb + "'") + " " +
         std::to_string(frame.seq) +
         (frame.type == "data"
              ? ", stream " + std::to_string(frame.stream) + ", part " + std::to_string(frame.part)
              : "") +
         " (" + std::to_string(frame.bytes) + " bytes, " + frame.sha256.substr(0, 12) + ")";
}

RecordingHeader header_for(std::vector<std::string> arguments, const std::string& version) {
  RecordingHeader header{.adze = version, .arguments = std::move(arguments), .files = {}};
  for (const std::string& argument : header.arguments) {
    std::error_code error;
    if (std::filesystem::is_regular_file(argument, error))
      header.files[argument] = host::sha256_hex(host::read_file(argument));
  }
  return header;
}

std::string line_of(const RecordingHeader& header) {
  return json{{"adze_recording", kFormat},
              {"adze", header.adze},
              {"arguments", header.arguments},
              {"files", header.files}}
      .dump();
}

std::string line_of(const Event& event) {
  // What a failure says may hold what a board sent.
  return std::visit(ToJson{}, event).dump(-1, ' ', true, json::error_handler_t::replace);
}

Recording parse_recording(std::string_view text, const std::filesystem::path& file) {
  Recording recording;
  std::size_t number = 0;
  const auto fail = [&](adze_status code, const std::string& why) {
    throw host::Error(code, "'" + file.string() + "' line " + std::to_string(number) + ": " + why +
                                "; `adze record` writes such files");
  };
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    try {
      const json parsed = json::parse(line);
      if (!parsed.is_object() || parsed.empty()) fail(ADZE_DATA_LOSS, "no event of a recording");
      if (number == 1)
        recording.header = header_of(parsed);
      else
        recording.events.push_back(event_of(parsed));
    } catch (const json::exception& error) {
      fail(ADZE_DATA_LOSS, host::one_line(error.what(), 200));
    } catch (const host::Error& error) {
      fail(error.code, error.what());
    }
  }
  if (number == 0) fail(ADZE_DATA_LOSS, "the file is empty");
  return recording;
}

Recording read_recording(const std::filesystem::path& file) {
  return parse_recording(host::read_text_file(file, kMaxBytes), file);
}

}  // namespace adze::hil
