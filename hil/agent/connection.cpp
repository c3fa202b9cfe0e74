#include "hil/agent/connection.hpp"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "hil/agent/telemetry.hpp"
#include "hil/link/token.hpp"
#include "host/base/cbor.hpp"
#include "host/base/error.hpp"
#include "host/base/file.hpp"

namespace adze::hil {
namespace {

using host::Error;
using host::Frame;
using host::FrameType;
using host::RigError;

constexpr std::int64_t kIdleSliceMs = 200, kBeatMs = kHeartbeatMs / 2, kSendMs = 30'000;
constexpr std::size_t kMaxWaiting = 16;
constexpr std::size_t kStreamPieceBytes = 512u << 10;
constexpr std::uint64_t kMaxRunBytes = 512u << 20;
/// After a wrong token: guessing takes its time.
constexpr std::int64_t kWrongTokenMs = 500;

/// The client asked to stop.
struct Cancelled : Error {
  Cancelled() : Error(ADZE_CANCELLED, "cancelled") {}
};

}  // namespace

Connection::Connection(Agent& agent, Link& link, const std::atomic<bool>& stop)
    : agent_(agent), frames_(link), stop_(stop), worker_(agent.options().worker) {}

Connection::~Connection() { agent_.lease().release(this); }

Agent::Ended Connection::serve() {
  try {
    while (!stop_)
      if (const auto frame = next_frame(host::after_ms(kIdleSliceMs))) handle(*frame);
    return Agent::Ended::stopped;
  } catch (const host::FrameError& error) {
    // The other side may understand frames and want to know; it costs nothing if not.
    try {
      send_error({.nonce = nonce_}, ErrorNote::of(error));
    } catch (const RigError&) {
    }
    return Agent::Ended::out_of_step;
  } catch (const RigError&) {
    return Agent::Ended::link_closed;
  }
}

/// A frame with a damaged payload is answered here and counts as none. Errors: RigError of the
/// link; FrameError when the position in the stream is lost.
std::optional<Frame> Connection::next_frame(Deadline deadline) {
  if (!waiting_.empty()) {
    Frame frame = std::move(waiting_.front());
    waiting_.pop_front();
    return frame;
  }
  try {
    return frames_.receive_before(deadline);
  } catch (const host::FrameError& error) {
    if (error.fault != host::FrameFault::bad_payload_checksum) throw;
    send_error(error.header, ErrorNote::of(error));
    return std::nullopt;
  }
}

void Connection::handle(const Frame& frame) {
  // What is not a request belongs to one that is over: late data, a late cancel.
  if (frame.type != FrameType::request) return;
  // A request that came twice was answered, or is not wanted any more.
  if (nonce_ != 0 && frame.nonce == nonce_ && frame.seq <= seq_) return;
  try {
    answer(frame);
  } catch (const host::FrameError& error) {
    if (error.fault != host::FrameFault::bad_payload_checksum) throw;
    send_error(frame, ErrorNote::of(error));  // the stream is still in step
  } catch (const Error& error) {
    send_error(frame, ErrorNote::of(error));
  } catch (const std::exception& error) {
    send_error(frame, {.code = ADZE_INTERNAL,
                       .text = std::string("the agent failed: ") + error.what(),
                       .about = ErrorNote::Class::rig});
  }
}

void Connection::answer(const Frame& frame) {
  const RequestHead head = decode_head(frame.payload);
  const bool repeated = last_was_hello_ && nonce_ != 0 && frame.seq == seq_;
  last_was_hello_ = head.verb == Verb::hello;
  seq_ = frame.seq;
  deadline_ = host::after_ms(head.deadline_ms);
  next_beat_ = host::after_ms(kBeatMs);
  if (head.verb == Verb::hello) return hello(frame, repeated);
  if (frame.nonce != nonce_ || !agent_.lease().holds(this, nonce_))
    throw RigError(ADZE_FAILED_PRECONDITION,
                   "this session does not hold the board (any more); say hello again");
  dispatch(head.verb, frame);
}

void Connection::dispatch(Verb verb, const Frame& frame) {
  SlotStore& slots = agent_.slots();
  const auto beat = [this](double fraction, const char* doing) { pulse(fraction, doing); };
  switch (verb) {
    case Verb::info:
      return info();
    case Verb::slots:
      return reply(SlotsReply{.slots = slots.list()}.encode());
    case Verb::flash_begin:
      return reply(slots.begin(FlashBegin::decode(frame.payload), beat).encode());
    case Verb::flash_data:
      return flash_data(FlashData::decode(frame.payload));
    case Verb::flash_commit: {
      const std::string bundle = BundleRequest::decode(frame.payload).bundle;
      const std::string signer = slots.commit(bundle, beat);
      std::string told = bundle;
      if (agent_.hardware().faults().lie_hash) std::reverse(told.begin(), told.end());
      return reply(FlashCommitReply{.bundle = told, .signed_by = signer}.encode());
    }
    case Verb::activate:
      return activate(BundleRequest::decode(frame.payload).bundle);
    case Verb::load:
      return load();
    case Verb::run:
      return run(RunRequest::decode(frame.payload));
    case Verb::profile: {
      const std::vector<std::byte> rows = worker_.profile(deadline_, beat);
      reply(host::encode_cbor(nlohmann::json::object()), FrameLink::Send::with_more);
      send_stream(0, rows);
      return frames_.flush(host::after_ms(kSendMs));
    }
    case Verb::telemetry:
      return reply(agent_.hardware().feel(read_telemetry()).encode());
    case Verb::reset:
      worker_.stop();
      loaded_.clear();
      agent_.lease().release(this);  // before the answer: whoever gets it may open a new session
      reply(host::encode_cbor(nlohmann::json::object()));
      nonce_ = 0;
      return;
    case Verb::hello:
      break;
  }
}

void Connection::reply(std::vector<std::byte> payload, FrameLink::Send when) {
  frames_.send(
      {.type = FrameType::response, .seq = seq_, .nonce = nonce_, .payload = std::move(payload)},
      host::after_ms(kSendMs), when);
}

void Connection::send_error(const Frame& to, const ErrorNote& note) {
  frames_.send(
      {.type = FrameType::error, .seq = to.seq, .nonce = to.nonce, .payload = note.encode()},
      host::after_ms(kSendMs));
}

void Connection::send_stream(std::uint16_t stream, std::span<const std::byte> bytes) {
  Frame frame{.type = FrameType::data, .stream = stream, .seq = seq_, .nonce = nonce_};
  do {
    const auto part = bytes.first(std::min(bytes.size(), kStreamPieceBytes));
    bytes = bytes.subspan(part.size());
    frame.flags = bytes.empty() ? host::kFrameLast : 0;
    frames_.send(frame, part, host::after_ms(kSendMs), FrameLink::Send::with_more);
    ++frame.part;
  } while (!bytes.empty());
}

std::vector<std::vector<std::byte>> Connection::receive_streams(
    const std::vector<std::uint64_t>& sizes) {
  std::uint64_t total = 0;
  for (const std::uint64_t size : sizes) {
    if (size > kMaxRunBytes || (total += size) > kMaxRunBytes)
      throw Error(ADZE_RESOURCE_EXHAUSTED, "more than " + std::to_string(kMaxRunBytes) +
                                               " bytes in one request; send smaller batches");
  }
  std::vector<std::vector<std::byte>> streams(sizes.size());
  std::vector<std::uint16_t> parts(sizes.size());
  std::size_t complete = 0;
  while (complete < sizes.size()) {
    if (host::remaining_ms(deadline_) == 0)
      throw RigError(ADZE_DEADLINE_EXCEEDED, "the board waited too long for the data of a request");
    const auto frame = frames_.receive_before(std::min(deadline_, host::after_ms(kIdleSliceMs)));
    if (stop_) throw RigError(ADZE_UNAVAILABLE, "the agent is stopping");
    if (frame && frame->type == FrameType::request) {
      if (frame->nonce == nonce_ && frame->seq <= seq_) continue;  // it came twice
      waiting_.push_back(*frame);
      throw RigError(ADZE_DATA_LOSS, "another request came before all data of this one");
    }
    if (!frame || frame->nonce != nonce_ || frame->seq != seq_) continue;
    if (frame->type == FrameType::cancel) throw Cancelled();
    if (frame->type != FrameType::data || frame->stream >= sizes.size())
      throw Error(ADZE_INVALID_ARGUMENT, "a frame that is no data of the request it belongs to");
    const auto distance = static_cast<std::int16_t>(frame->part - parts[frame->stream]);
    if (distance < 0) continue;  // it came twice
    if (distance > 0)
      throw RigError(ADZE_DATA_LOSS, "a part of the data of a request was lost on the way");
    ++parts[frame->stream];
    std::vector<std::byte>& stream = streams[frame->stream];
    stream.insert(stream.end(), frame->payload.begin(), frame->payload.end());
    const bool last = frame->flags & host::kFrameLast;
    if (stream.size() > sizes[frame->stream] || (last && stream.size() != sizes[frame->stream]))
      throw Error(ADZE_INVALID_ARGUMENT, "stream " + std::to_string(frame->stream) +
                                             " of a request has not the announced " +
                                             std::to_string(sizes[frame->stream]) + " bytes");
    if (last) ++complete;
    agent_.lease().holds(this, nonce_);
  }
  return streams;
}

void Connection::pulse(double fraction, const char* doing) {
  agent_.lease().holds(this, nonce_);
  if (stop_) throw RigError(ADZE_UNAVAILABLE, "the agent is stopping");
  if (host::remaining_ms(next_beat_) == 0) {
    next_beat_ = host::after_ms(kBeatMs);
    frames_.send({.type = FrameType::progress,
                  .seq = seq_,
                  .nonce = nonce_,
                  .payload = ProgressNote{.fraction = fraction, .doing = doing}.encode()},
                 host::after_ms(kSendMs));
  }
  try {
    while (const auto frame = frames_.receive_before(host::after_ms(0))) {
      if (frame->type == FrameType::cancel && frame->nonce == nonce_ && frame->seq == seq_)
        throw Cancelled();
      if (frame->type == FrameType::request && waiting_.size() < kMaxWaiting)
        waiting_.push_back(*frame);
    }
  } catch (const host::FrameError& error) {
    // A damaged frame is asked for again. Where the position is lost the link is of no more use,
    // and it is the link's fault, not that of what works here.
    if (error.fault != host::FrameFault::bad_payload_checksum)
      throw RigError(ADZE_DATA_LOSS, error.what());
  }
}

void Connection::hello(const Frame& frame, bool repeated) {
  const HelloRequest request = HelloRequest::decode(frame.payload);
  const AgentOptions& options = agent_.options();
  // It came twice: a second session would end the first.
  if (repeated && client_ == request.client) return;
  if (request.version_min > kProtocolVersion || request.version_max < kProtocolVersion)
    throw RigError(ADZE_UNIMPLEMENTED,
                   "the board speaks protocol version " + std::to_string(kProtocolVersion) +
                       ", the host " + std::to_string(request.version_min) + " to " +
                       std::to_string(request.version_max) + "; update the older side");
  if (const std::string wanted = frames_.link().token();
      !wanted.empty() && !same_token(request.token, wanted)) {
    const Deadline end = host::after_ms(kWrongTokenMs);
    while (!stop_ && host::remaining_ms(end) > 0) ::usleep(20'000);
    throw Error(ADZE_PERMISSION_DENIED,
                "board " + options.board +
                    " does not know this token; both sides need the same token file");
  }
  std::string holder;
  const auto nonce = agent_.lease().take(this, request.client, holder);
  if (!nonce) {
    send_error(frame, {.code = ADZE_UNAVAILABLE,
                       .text = "board " + options.board + " is BUSY: held by " + holder +
                               "; wait for it, or take another board",
                       .about = ErrorNote::Class::rig,
                       .busy = true});
    return;
  }
  worker_.stop();
  loaded_.clear();
  waiting_.clear();
  nonce_ = *nonce;
  client_ = request.client;
  reply(HelloReply{.version = kProtocolVersion,
                   .board = options.board,
                   .board_type = options.board_type,
                   .agent = options.version,
                   .nonce = nonce_,
                   .simulated = options.simulated,
                   .lab = options.lab}
            .encode());
}

void Connection::info() {
  const AgentOptions& options = agent_.options();
  reply(InfoReply{.board = options.board,
                  .board_type = options.board_type,
                  .agent = options.version,
                  .backend = worker_.component(),
                  .kernel = kernel_version(),
                  .machine = machine(),
                  .boot_id = agent_.boot_id(),
                  .simulated = options.simulated,
                  .lab = options.lab,
                  .active = agent_.slots().active(),
                  .hardware = options.simulated ? "simulated" : "not yet verified on hardware"}
            .encode());
}

void Connection::flash_data(const FlashData& request) {
  if (request.size_bytes > host::kMaxFramePayloadBytes)
    throw Error(ADZE_OUT_OF_RANGE, "flash_data takes one frame at a time");
  const auto streams = receive_streams({request.size_bytes});
  reply(FlashDataReply{.offset = agent_.slots().append(request.offset, streams.front())}.encode());
}

double Connection::smoke_test(const Manifest& manifest, const std::filesystem::path& slot) {
  const auto beat = [this](double fraction, const char* doing) { pulse(fraction, doing); };
  loaded_.clear();
  worker_.load(agent_.hardware().as_it_computes(slot), deadline_, beat);
  if (manifest.smoke_inputs.empty()) return 0;
  std::vector<std::vector<std::byte>> inputs;
  for (const SmokeTensor& input : manifest.smoke_inputs)
    inputs.push_back(host::read_file(slot / input.path));
  const auto result = worker_.run({.inputs = manifest.inputs}, inputs, deadline_, beat);
  double worst = 0;
  for (std::size_t i = 0; i < manifest.smoke_outputs.size(); ++i) {
    const SmokeTensor& expected = manifest.smoke_outputs[i];
    const auto fail = [&](const std::string& why) {
      throw host::PluginError(
          ADZE_ABORTED, "the smoke test of '" + manifest.model + "' failed on the board: output '" +
                            expected.spec.name + "' " + why + "; the previous bundle stays active");
    };
    if (i >= result.outputs.size() || result.outputs[i].bytes().size() != size_bytes(expected.spec))
      fail("is missing or has another size");
    const host::Shape& shape = expected.spec.shape;
    const auto want =
        host::to_f32({expected.spec.dtype, shape,
                      std::span<const std::byte>(host::read_file(slot / expected.path))});
    const auto got = host::to_f32({expected.spec.dtype, shape, result.outputs[i].bytes()});
    float largest = 0;
    for (const float v : want) largest = std::max(largest, std::abs(v));
    for (std::size_t j = 0; j < want.size(); ++j) {
      const double difference = std::abs(double{got[j]} - want[j]);
      if (!(difference <= manifest.smoke_tolerance * largest))
        fail("differs by " + std::to_string(difference) + " from what was expected");
      worst = std::max(worst, difference);
    }
  }
  return worst;
}

void Connection::activate(const std::string& bundle) {
  SlotStore& slots = agent_.slots();
  const double worst = smoke_test(slots.manifest_of(bundle), slots.trusted_folder_of(bundle));
  const std::string previous = slots.activate(bundle);
  reply(ActivateReply{.active = bundle, .previous = previous, .smoke_max_abs = worst}.encode());
}

void Connection::load() {
  SlotStore& slots = agent_.slots();
  const std::string bundle = slots.active();
  if (bundle.empty())
    throw Error(ADZE_FAILED_PRECONDITION,
                "no bundle is active on the board; flash one with `adze board flash`");
  const Manifest manifest = slots.manifest_of(bundle);
  loaded_.clear();
  worker_.load(agent_.hardware().as_it_computes(slots.trusted_folder_of(bundle)), deadline_,
               [this](double fraction, const char* doing) { pulse(fraction, doing); });
  agent_.hardware().loaded(manifest.predicted_ms);
  loaded_ = bundle;
  reply(LoadReply{.bundle = bundle,
                  .model = manifest.model,
                  .backend = manifest.backend,
                  .batch = manifest.batch,
                  .inputs = manifest.inputs,
                  .outputs = manifest.outputs}
            .encode());
}

void Connection::hang() {
  std::vector<std::byte> ignored(1 << 16);
  while (!stop_) {
    try {
      frames_.link().read(ignored, host::after_ms(kIdleSliceMs));
    } catch (const RigError& error) {
      if (error.code != ADZE_DEADLINE_EXCEEDED) throw;
    }
  }
}

void Connection::run(RunRequest request) {
  std::vector<std::uint64_t> sizes;
  for (const TensorSpec& input : request.inputs) sizes.push_back(size_bytes(input));
  const auto inputs = receive_streams(sizes);
  if (loaded_.empty() || !worker_.running())
    throw Error(ADZE_FAILED_PRECONDITION, "no bundle is loaded; send `load` first");
  SimulatedHardware& hardware = agent_.hardware();
  if (hardware.hangs()) hang();
  if (hardware.reboots()) {
    worker_.stop();
    if (agent_.options().reboot) agent_.options().reboot();
    throw RigError(ADZE_UNAVAILABLE, "the board reboots");
  }
  hardware.count_run();
  const Telemetry before = hardware.feel(read_telemetry());
  const auto beat = [this](double fraction, const char* doing) { pulse(fraction, doing); };
  auto result = worker_.run(request, inputs, deadline_, beat);
  std::vector<std::int64_t> times(result.reply.time_count);
  if (!times.empty())
    std::memcpy(times.data(), result.times.bytes().data(), result.times.bytes().size());
  const Deadline until = std::chrono::steady_clock::now() + hardware.stretch(times);
  while (host::remaining_ms(until) > 0) {
    pulse(1, "running");
    ::usleep(static_cast<useconds_t>(std::min<std::int64_t>(host::remaining_ms(until), 50) * 1000));
  }
  result.reply.before = before;
  result.reply.after = hardware.feel(read_telemetry());
  send_results(std::move(result.reply), result.outputs, std::as_bytes(std::span(times)));
}

void Connection::send_results(RunReply results, const std::vector<host::SharedBuffer>& outputs,
                              std::span<const std::byte> times) {
  reply(results.encode(), FrameLink::Send::with_more);
  std::uint16_t stream = 0;
  if (agent_.hardware().faults().nan_output) {
    std::vector<std::vector<std::byte>> copies;
    for (const host::SharedBuffer& output : outputs)
      copies.emplace_back(output.bytes().begin(), output.bytes().end());
    agent_.hardware().spoil(results.outputs, copies);
    for (const auto& output : copies) send_stream(stream++, output);
  } else {
    for (const host::SharedBuffer& output : outputs) send_stream(stream++, output.bytes());
  }
  send_stream(stream, times);
  frames_.flush(host::after_ms(kSendMs));
}

}  // namespace adze::hil
