// What host and agent say to each other: requests and replies of each verb, as CBOR maps.
//
// A request frame holds the verb and its parameters and takes a new seq; every frame that belongs
// to it (data, progress, the response or error, cancel) carries the same seq and the session's
// nonce. Tensors and files follow their request or response in data frames, one stream a tensor,
// each stream ended by kFrameLast; a tensor of 0 bytes sends one empty data frame. While it works,
// the agent sends a progress frame at least each second.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "hil/protocol/tensor_spec.hpp"
#include "host/base/error.hpp"

namespace adze::hil {

inline constexpr std::int64_t kProtocolVersion = 1;
/// The agent is silent for no longer than this while it works.
inline constexpr std::int64_t kHeartbeatMs = 1000;

using Payload = std::vector<std::byte>;

enum class Verb {
  hello,
  info,
  slots,
  flash_begin,
  flash_data,
  flash_commit,
  activate,
  load,
  run,
  profile,
  telemetry,
  reset
};
const char* verb_name(Verb verb);

// Every struct below: encode() makes the payload; decode() throws DATA_LOSS saying what is wrong.

/// What every request frame begins with. Cancelling is a frame type, not a request.
struct RequestHead {
  Verb verb = Verb::hello;
  std::int64_t deadline_ms = 0;  ///< the agent gives up after this; 1 .. 24 h
};
/// Errors: UNIMPLEMENTED for a verb this version does not know.
RequestHead decode_head(std::span<const std::byte> payload);

struct HelloRequest {
  std::string client;  ///< who holds the board, for the other one's BUSY message
  std::int64_t version_min = kProtocolVersion, version_max = kProtocolVersion;
  std::string token;  ///< of a link that wants one
  Payload encode(std::int64_t deadline_ms) const;
  static HelloRequest decode(std::span<const std::byte> payload);
};

struct HelloReply {
  std::int64_t version = kProtocolVersion;
  std::string board, board_type;
  std::string agent;        ///< its version
  std::uint64_t nonce = 0;  ///< of the session: every later frame carries it
  bool simulated = false;
  bool lab = false;  ///< takes unsigned bundles
  Payload encode() const;
  static HelloReply decode(std::span<const std::byte> payload);
};

/// Verbs without parameters: info, slots, load, profile, telemetry, reset.
Payload encode_plain(Verb verb, std::int64_t deadline_ms);

struct InfoReply {
  std::string board, board_type, agent, backend, kernel, machine, boot_id;
  bool simulated = false, lab = false;
  std::string active;    ///< bundle id; empty: none
  std::string hardware;  ///< "simulated", or what has not been verified on hardware
  Payload encode() const;
  static InfoReply decode(std::span<const std::byte> payload);
};

struct SlotInfo {
  std::string bundle;  ///< id
  std::string model, signed_by;
  bool active = false, previous = false;
};
struct SlotsReply {
  std::vector<SlotInfo> slots;
  Payload encode() const;
  static SlotsReply decode(std::span<const std::byte> payload);
};

struct FlashBegin {
  std::string bundle, board_type;
  std::uint64_t size_bytes = 0;
  Payload encode(std::int64_t deadline_ms) const;
  static FlashBegin decode(std::span<const std::byte> payload);
};
struct FlashBeginReply {
  bool present = false;      ///< stored already and intact: nothing to send
  std::uint64_t offset = 0;  ///< where to go on
  Payload encode() const;
  static FlashBeginReply decode(std::span<const std::byte> payload);
};

/// One data frame with `size_bytes` bytes follows.
struct FlashData {
  std::uint64_t offset = 0, size_bytes = 0;
  Payload encode(std::int64_t deadline_ms) const;
  static FlashData decode(std::span<const std::byte> payload);
};
struct FlashDataReply {
  std::uint64_t offset = 0;  ///< stored up to here
  Payload encode() const;
  static FlashDataReply decode(std::span<const std::byte> payload);
};

/// flash_commit and activate.
struct BundleRequest {
  std::string bundle;
  Payload encode(Verb verb, std::int64_t deadline_ms) const;
  static BundleRequest decode(std::span<const std::byte> payload);
};
struct FlashCommitReply {
  std::string bundle;
  std::string signed_by;  ///< empty: unsigned, which lab mode allows
  Payload encode() const;
  static FlashCommitReply decode(std::span<const std::byte> payload);
};
struct ActivateReply {
  std::string active, previous;
  double smoke_max_abs = 0;  ///< largest difference of the smoke test from what was expected
  Payload encode() const;
  static ActivateReply decode(std::span<const std::byte> payload);
};

struct LoadReply {
  std::string bundle, model, backend;
  std::int64_t batch = 1;  ///< samples in one inference
  std::vector<TensorSpec> inputs, outputs;
  Payload encode() const;
  static LoadReply decode(std::span<const std::byte> payload);
};

/// What is done before and around the inferences that count.
struct RunSettings {
  bool drop_first = false;     ///< one inference first whose time is reported apart
  std::int64_t warmup_ms = 0;  ///< at least this long, and until the running median is stable
  std::int64_t repeats = 1;    ///< passes over the samples; outputs are those of the first
  bool outputs_wanted = true;
};
/// Data frames of the inputs follow, stream i = input i.
struct RunRequest {
  std::vector<TensorSpec> inputs;
  RunSettings settings;
  Payload encode(std::int64_t deadline_ms) const;
  static RunRequest decode(std::span<const std::byte> payload);
};

/// What may explain a latency: read on the board before and after. NaN and empty: not readable.
struct Telemetry {
  static constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
  std::string governor;
  double frequency_mhz = kUnknown, load_1min = kUnknown;
  double temperature_c = kUnknown;               ///< of the hottest zone
  std::map<std::string, double> temperatures_c;  ///< by zone
  Payload encode() const;
  static Telemetry decode(std::span<const std::byte> payload);
};

/// Data frames follow: stream i = output i; then one stream of the times, int64 nanoseconds of
/// CLOCK_MONOTONIC_RAW, one an inference.
struct RunReply {
  std::vector<TensorSpec> outputs;
  std::uint64_t time_count = 0;
  std::int64_t first_ns = 0;  ///< 0: no first call was dropped
  std::int64_t warmup_count = 0;
  Telemetry before, after;
  Payload encode() const;
  static RunReply decode(std::span<const std::byte> payload);
};

struct ProfileEntry {
  std::vector<std::string> nodes;
  std::string engine;
  double latency_ms = 0;
  std::uint64_t bytes = 0;
  bool predicted = false;
};
/// Too long for a control message: the response is an empty map, and this travels as stream 0.
inline constexpr std::size_t kMaxProfileBytes = 8u << 20;
struct ProfileReply {
  std::vector<ProfileEntry> rows;
  Payload encode() const;
  static ProfileReply decode(std::span<const std::byte> payload);
};

struct ProgressNote {
  double fraction = 0;
  std::string doing;
  Payload encode() const;
  static ProgressNote decode(std::span<const std::byte> payload);
};

/// Why a request failed. `rig`: nothing is known about the model (board busy, storage broken).
struct ErrorNote {
  adze_status code = ADZE_UNKNOWN;
  std::string text;
  enum class Class : std::uint8_t { usage, tested, rig } about = Class::rig;
  bool busy = false;  ///< held by another session
  Payload encode() const;
  static ErrorNote decode(std::span<const std::byte> payload);
  static ErrorNote of(const host::Error& error);
  /// Throws PluginError when the tested thing failed, RigError when the rig did, else Error.
  [[noreturn]] void raise() const;
};

}  // namespace adze::hil
