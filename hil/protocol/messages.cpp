#include "hil/protocol/messages.hpp"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "hil/protocol/fields.hpp"
#include "host/base/cbor.hpp"

namespace adze::hil {
namespace {

using host::Error;
using nlohmann::json;

constexpr std::int64_t kDayMs = 24 * 3600 * 1000;
constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();

constexpr std::pair<Verb, const char*> kVerbs[] = {{Verb::hello, "hello"},
                                                   {Verb::info, "info"},
                                                   {Verb::slots, "slots"},
                                                   {Verb::flash_begin, "flash_begin"},
                                                   {Verb::flash_data, "flash_data"},
                                                   {Verb::flash_commit, "flash_commit"},
                                                   {Verb::activate, "activate"},
                                                   {Verb::load, "load"},
                                                   {Verb::run, "run"},
                                                   {Verb::profile, "profile"},
                                                   {Verb::telemetry, "telemetry"},
                                                   {Verb::reset, "reset"}};

Payload request(Verb verb, std::int64_t deadline_ms, json parameters) {
  parameters["verb"] = verb_name(verb);
  parameters["deadline_ms"] = deadline_ms;
  return host::encode_cbor(parameters);
}

/// A decoded message, held while its fields are read.
struct Message {
  Message(std::span<const std::byte> payload, const char* what, const host::CborLimits& limits = {})
      : value(host::decode_cbor(payload, what, limits)), fields(value, what) {}
  json value;
  Fields fields;
};

/// Absent when it could not be read on the board: CBOR has no need for NaN then.
void put_number(json& map, const char* key, double value) {
  if (std::isfinite(value)) map[key] = value;
}

double number_or_nan(const Fields& fields, const char* key) {
  return fields.has(key) ? fields.real(key) : std::numeric_limits<double>::quiet_NaN();
}

json telemetry_json(const Telemetry& telemetry) {
  json map = {{"governor", telemetry.governor}, {"zones", json::object()}};
  put_number(map, "frequency_mhz", telemetry.frequency_mhz);
  put_number(map, "temperature_c", telemetry.temperature_c);
  put_number(map, "load_1min", telemetry.load_1min);
  for (const auto& [zone, celsius] : telemetry.temperatures_c) map["zones"][zone] = celsius;
  return map;
}

Telemetry telemetry_of(const Fields& fields) {
  return {.governor = fields.text("governor"),
          .frequency_mhz = number_or_nan(fields, "frequency_mhz"),
          .load_1min = number_or_nan(fields, "load_1min"),
          .temperature_c = number_or_nan(fields, "temperature_c"),
          .temperatures_c = fields.real_map("zones")};
}

}  // namespace

const char* verb_name(Verb verb) {
  for (const auto& [value, name] : kVerbs)
    if (value == verb) return name;
  return "unknown";
}

RequestHead decode_head(std::span<const std::byte> payload) {
  const Message message(payload, "a request");
  const std::string name = message.fields.text("verb", 64);
  for (const auto& [verb, known] : kVerbs)
    if (name == known)
      return {.verb = verb, .deadline_ms = message.fields.integer("deadline_ms", 1, kDayMs)};
  throw Error(ADZE_UNIMPLEMENTED,
              "this agent does not know the verb '" + name + "'; update the agent");
}

Payload HelloRequest::encode(std::int64_t deadline_ms) const {
  json parameters = {
      {"client", client}, {"version_min", version_min}, {"version_max", version_max}};
  if (!token.empty()) parameters["token"] = token;
  return request(Verb::hello, deadline_ms, std::move(parameters));
}

HelloRequest HelloRequest::decode(std::span<const std::byte> payload) {
  const Message message(payload, "a hello");
  return {.client = message.fields.text("client", 256),
          .version_min = message.fields.integer("version_min", 1, kMax),
          .version_max = message.fields.integer("version_max", 1, kMax),
          .token = message.fields.has("token") ? message.fields.text("token", 256) : ""};
}

Payload HelloReply::encode() const {
  return host::encode_cbor({{"version", version},
                            {"board", board},
                            {"board_type", board_type},
                            {"agent", agent},
                            {"nonce", nonce},
                            {"simulated", simulated},
                            {"lab", lab}});
}

HelloReply HelloReply::decode(std::span<const std::byte> payload) {
  const Message message(payload, "the answer to hello");
  const Fields& fields = message.fields;
  return {.version = fields.integer("version", 1, kMax),
          .board = fields.text("board", 256),
          .board_type = fields.text("board_type", 256),
          .agent = fields.text("agent", 256),
          .nonce = fields.unsigned_integer("nonce"),
          .simulated = fields.flag("simulated"),
          .lab = fields.flag("lab")};
}

Payload encode_plain(Verb verb, std::int64_t deadline_ms) {
  return request(verb, deadline_ms, json::object());
}

Payload InfoReply::encode() const {
  return host::encode_cbor({{"board", board},
                            {"board_type", board_type},
                            {"agent", agent},
                            {"backend", backend},
                            {"kernel", kernel},
                            {"machine", machine},
                            {"boot_id", boot_id},
                            {"simulated", simulated},
                            {"lab", lab},
                            {"active", active},
                            {"hardware", hardware}});
}

InfoReply InfoReply::decode(std::span<const std::byte> payload) {
  const Message message(payload, "the answer to info");
  const Fields& fields = message.fields;
  return {.board = fields.text("board"),
          .board_type = fields.text("board_type"),
          .agent = fields.text("agent"),
          .backend = fields.text("backend"),
          .kernel = fields.text("kernel"),
          .machine = fields.text("machine"),
          .boot_id = fields.text("boot_id"),
          .simulated = fields.flag("simulated"),
          .lab = fields.flag("lab"),
          .active = fields.text("active"),
          .hardware = fields.text("hardware")};
}

Payload SlotsReply::encode() const {
  json list = json::array();
  for (const SlotInfo& slot : slots)
    list.push_back({{"bundle", slot.bundle},
                    {"model", slot.model},
                    {"signed_by", slot.signed_by},
                    {"active", slot.active},
                    {"previous", slot.previous}});
  return host::encode_cbor({{"slots", list}});
}

SlotsReply SlotsReply::decode(std::span<const std::byte> payload) {
  const Message message(payload, "the answer to slots");
  SlotsReply reply;
  for (const Fields& fields : message.fields.list("slots"))
    reply.slots.push_back({.bundle = fields.text("bundle"),
                           .model = fields.text("model"),
                           .signed_by = fields.text("signed_by"),
                           .active = fields.flag("active"),
                           .previous = fields.flag("previous")});
  return reply;
}

Payload FlashBegin::encode(std::int64_t deadline_ms) const {
  return request(Verb::flash_begin, deadline_ms,
                 {{"bundle", bundle}, {"board_type", board_type}, {"size_bytes", size_bytes}});
}

FlashBegin FlashBegin::decode(std::span<const std::byte> payload) {
  const Message message(payload, "flash_begin");
  return {.bundle = message.fields.text("bundle", 64),
          .board_type = message.fields.text("board_type", 256),
          .size_bytes = message.fields.unsigned_integer("size_bytes")};
}

Payload FlashBeginReply::encode() const {
  return host::encode_cbor({{"present", present}, {"offset", offset}});
}

FlashBeginReply FlashBeginReply::decode(std::span<const std::byte> payload) {
  const Message message(payload, "the answer to flash_begin");
  return {.present = message.fields.flag("present"),
          .offset = message.fields.unsigned_integer("offset")};
}

Payload FlashData::encode(std::int64_t deadline_ms) const {
  return request(Verb::flash_data, deadline_ms, {{"offset", offset}, {"size_bytes", size_bytes}});
}

FlashData FlashData::decode(std::span<const std::byte> payload) {
  const Message message(payload, "flash_data");
  return {.offset = message.fields.unsigned_integer("offset"),
          .size_bytes = message.fields.unsigned_integer("size_bytes")};
}

Payload FlashDataReply::encode() const { return host::encode_cbor({{"offset", offset}}); }

FlashDataReply FlashDataReply::decode(std::span<const std::byte> payload) {
  const Message message(payload, "the answer to flash_data");
  return {.offset = message.fields.unsigned_integer("offset")};
}

Payload BundleRequest::encode(Verb verb, std::int64_t deadline_ms) const {
  return request(verb, deadline_ms, {{"bundle", bundle}});
}

BundleRequest BundleRequest::decode(std::span<const std::byte> payload) {
  const Message message(payload, "a request about a bundle");
  return {.bundle = message.fields.text("bundle", 64)};
}

Payload FlashCommitReply::encode() const {
  return host::encode_cbor({{"bundle", bundle}, {"signed_by", signed_by}});
}

FlashCommitReply FlashCommitReply::decode(std::span<const std::byte> payload) {
  const Message message(payload, "the answer to flash_commit");
  return {.bundle = message.fields.text("bundle"), .signed_by = message.fields.text("signed_by")};
}

Payload ActivateReply::encode() const {
  return host::encode_cbor(
      {{"active", active}, {"previous", previous}, {"smoke_max_abs", smoke_max_abs}});
}

ActivateReply ActivateReply::decode(std::span<const std::byte> payload) {
  const Message message(payload, "the answer to activate");
  return {.active = message.fields.text("active"),
          .previous = message.fields.text("previous"),
          .smoke_max_abs = message.fields.real("smoke_max_abs")};
}

Payload LoadReply::encode() const {
  return host::encode_cbor({{"bundle", bundle},
                            {"model", model},
                            {"backend", backend},
                            {"batch", batch},
                            {"inputs", to_json(inputs)},
                            {"outputs", to_json(outputs)}});
}

LoadReply LoadReply::decode(std::span<const std::byte> payload) {
  const Message message(payload, "the answer to load");
  const Fields& fields = message.fields;
  return {.bundle = fields.text("bundle"),
          .model = fields.text("model"),
          .backend = fields.text("backend"),
          .batch = fields.integer("batch", 1, 1 << 20),
          .inputs = fields.tensors("inputs"),
          .outputs = fields.tensors("outputs")};
}

Payload RunRequest::encode(std::int64_t deadline_ms) const {
  return request(Verb::run, deadline_ms,
                 {{"inputs", to_json(inputs)},
                  {"drop_first", settings.drop_first},
                  {"warmup_ms", settings.warmup_ms},
                  {"repeats", settings.repeats},
                  {"outputs_wanted", settings.outputs_wanted}});
}

RunRequest RunRequest::decode(std::span<const std::byte> payload) {
  const Message message(payload, "run");
  const Fields& fields = message.fields;
  return {.inputs = fields.tensors("inputs"),
          .settings = {.drop_first = fields.flag("drop_first"),
                       .warmup_ms = fields.integer("warmup_ms", 0, kDayMs),
                       .repeats = fields.integer("repeats", 1, 1 << 24),
                       .outputs_wanted = fields.flag("outputs_wanted")}};
}

Payload Telemetry::encode() const { return host::encode_cbor(telemetry_json(*this)); }

Telemetry Telemetry::decode(std::span<const std::byte> payload) {
  const Message message(payload, "the answer to telemetry");
  return telemetry_of(message.fields);
}

Payload RunReply::encode() const {
  return host::encode_cbor({{"outputs", to_json(outputs)},
                            {"time_count", time_count},
                            {"first_ns", first_ns},
                            {"warmup_count", warmup_count},
                            {"before", telemetry_json(before)},
                            {"after", telemetry_json(after)}});
}

RunReply RunReply::decode(std::span<const std::byte> payload) {
  const Message message(payload, "the answer to run");
  const Fields& fields = message.fields;
  return {.outputs = fields.tensors("outputs"),
          .time_count = fields.unsigned_integer("time_count"),
          .first_ns = fields.integer("first_ns", 0, kMax),
          .warmup_count = fields.integer("warmup_count", 0, kMax),
          .before = telemetry_of(fields.map("before")),
          .after = telemetry_of(fields.map("after"))};
}

Payload ProfileReply::encode() const {
  json list = json::array();
  for (const ProfileEntry& row : rows)
    list.push_back({{"nodes", row.nodes},
                    {"engine", row.engine},
                    {"latency_ms", row.latency_ms},
                    {"bytes", row.bytes},
                    {"predicted", row.predicted}});
  return host::encode_cbor({{"rows", list}});
}

ProfileReply ProfileReply::decode(std::span<const std::byte> payload) {
  const Message message(payload, "the profile", {.max_bytes = kMaxProfileBytes});
  ProfileReply reply;
  for (const Fields& fields : message.fields.list("rows", 1 << 16))
    reply.rows.push_back({.nodes = fields.texts("nodes", 1 << 16),
                          .engine = fields.text("engine"),
                          .latency_ms = fields.real("latency_ms"),
                          .bytes = fields.unsigned_integer("bytes"),
                          .predicted = fields.flag("predicted")});
  return reply;
}

Payload ProgressNote::encode() const {
  return host::encode_cbor({{"fraction", fraction}, {"doing", doing}});
}

ProgressNote ProgressNote::decode(std::span<const std::byte> payload) {
  const Message message(payload, "a progress message");
  return {.fraction = message.fields.real("fraction"), .doing = message.fields.text("doing")};
}

Payload ErrorNote::encode() const {
  // A text may quote what a crashed worker printed: whatever is no UTF-8 is replaced.
  const std::string clean =
      json::parse(json(text.substr(0, 16384)).dump(-1, ' ', false, json::error_handler_t::replace))
          .get<std::string>();
  return host::encode_cbor({{"code", static_cast<std::int64_t>(code)},
                            {"text", clean},
                            {"about", static_cast<std::int64_t>(about)},
                            {"busy", busy}});
}

ErrorNote ErrorNote::decode(std::span<const std::byte> payload) {
  const Message message(payload, "an error message");
  const Fields& fields = message.fields;
  return {.code = static_cast<adze_status>(fields.integer("code", 1, 1 << 20)),
          .text = fields.text("text", 65536),
          .about = static_cast<Class>(fields.integer("about", 0, 2)),
          .busy = fields.flag("busy")};
}

ErrorNote ErrorNote::of(const Error& error) {
  const host::Exit exit = error.exit();
  return {.code = error.code,
          .text = error.what(),
          .about = exit == host::Exit::failed ? Class::tested
                   : exit == host::Exit::rig  ? Class::rig
                                              : Class::usage};
}

void ErrorNote::raise() const {
  if (about == Class::tested) throw host::PluginError(code, text);
  if (about == Class::rig) throw host::RigError(code, text);
  throw Error(code, text);
}

}  // namespace adze::hil
