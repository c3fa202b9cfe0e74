#include "hil/session/session.hpp"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <utility>

#include "host/base/error.hpp"

namespace adze::hil {
namespace {

using host::Frame;
using host::FrameType;
using host::RigError;

constexpr std::size_t kPieceBytes = 512u << 10;
/// One is under way while the board stores the one before.
constexpr std::size_t kPiecesOnTheWay = 2;
constexpr std::int64_t kGoodbyeMs = 1000, kBusyMs = 3000;

}  // namespace

std::string client_name() {
  std::array<char, 256> machine{};
  ::gethostname(machine.data(), machine.size() - 1);
  const passwd* user = ::getpwuid(::geteuid());
  return (user ? std::string(user->pw_name) : "user " + std::to_string(::geteuid())) + "@" +
         machine.data() + " (process " + std::to_string(::getpid()) + ")";
}

namespace {

/// Held by somebody else: another hello on the same link will not help.
struct Busy : RigError {
  using RigError::RigError;
};

/// What another try on a fresh link may mend.
bool is_of_the_link(const host::Error& error) {
  return error.exit() == host::Exit::rig &&
         (error.code == ADZE_UNAVAILABLE || error.code == ADZE_DEADLINE_EXCEEDED ||
          error.code == ADZE_DATA_LOSS || error.code == ADZE_FAILED_PRECONDITION);
}

}  // namespace

BoardSession::BoardSession(std::unique_ptr<Link> link, SessionTimeouts timeouts)
    : link_(std::move(link)), frames_(std::make_unique<FrameLink>(*link_)), timeouts_(timeouts) {
  for (int attempt = 1;; ++attempt) {
    try {
      say_hello();
      return;
    } catch (const Busy&) {
      throw;
    } catch (const RigError& error) {
      if (attempt >= timeouts_.attempts || !is_of_the_link(error)) throw;
      recovered_.push_back(error.what());
    }
  }
}

BoardSession::BoardSession(LinkOpener opener, SessionTimeouts timeouts)
    : opener_(std::move(opener)), timeouts_(timeouts) {
  // The agent may need a moment to see that the client before is gone.
  const Deadline busy_end = host::after_ms(kBusyMs);
  for (int attempt = 1;; ++attempt) {
    link_ = opener_(host::after_ms(timeouts_.hello_ms));
    frames_ = std::make_unique<FrameLink>(*link_);
    try {
      say_hello();
      return;
    } catch (const Busy&) {
      if (host::remaining_ms(busy_end) == 0) throw;
      --attempt;
    } catch (const RigError& error) {
      if (attempt >= timeouts_.attempts || !is_of_the_link(error)) throw;
      recovered_.push_back(error.what());
    }
    frames_.reset();
    link_.reset();
    ::usleep(20'000);
  }
}

BoardSession BoardSession::open(const std::string& address, SessionTimeouts timeouts) {
  return BoardSession([address](Deadline deadline) { return open_link(address, deadline); },
                      timeouts);
}

void BoardSession::say_hello() {
  nonce_ = 0;
  const std::string client = link_->client();
  const HelloRequest hello{.client = client.empty() ? client_name() : client,
                           .token = link_->token()};
  const Frame reply = ask(hello.encode(timeouts_.hello_ms), timeouts_.hello_ms, "say hello");
  HelloReply board = HelloReply::decode(reply.payload);
  if (!board_.board.empty() &&
      (board.board != board_.board || board.board_type != board_.board_type))
    throw host::Error(ADZE_ABORTED, "another board answers at " + link_->name() + " now: '" +
                                        board.board + "' instead of '" + board_.board +
                                        "'; nothing was written to it");
  board_ = std::move(board);
  nonce_ = board_.nonce;
}

void BoardSession::recover(const host::Error& why) {
  recovered_.push_back(why.what());
  const Deadline end = host::after_ms(timeouts_.recover_ms);
  for (;;) {
    try {
      nonce_ = 0;
      if (opener_) {
        // The old one first: a device has one user.
        frames_.reset();
        link_.reset();
        link_ = opener_(std::min(end, host::after_ms(timeouts_.hello_ms)));
        frames_ = std::make_unique<FrameLink>(*link_);
      } else {
        frames_->reset();
      }
      say_hello();
      if (loaded_.empty()) return;
      const std::string before = loaded_;
      if (load_once().bundle != before)
        throw host::Error(ADZE_ABORTED,
                          "board " + link_->name() + " came back with another bundle active");
      fresh_ = true;
      return;
    } catch (const RigError& error) {
      if (host::remaining_ms(end) == 0 || !is_of_the_link(error))
        throw RigError(why.code, std::string(why.what()) + "; tried again: " + error.what());
      ::usleep(20'000);
    }
  }
}

template <class Body>
auto BoardSession::with_attempts(Body&& body) {
  for (int attempt = 1;; ++attempt) {
    try {
      return body();
    } catch (const RigError& error) {
      if (std::exchange(progressed_, false)) attempt = 1;
      if (attempt >= timeouts_.attempts || !is_of_the_link(error)) throw;
      recover(error);
    }
  }
}

BoardSession::~BoardSession() {
  if (!frames_ || !nonce_) return;
  try {
    // The answer is waited for: whoever opens the board next must not find it busy. A board that
    // does not answer lets go when the link closes.
    timeouts_.quick_ms = kGoodbyeMs;
    reset();
  } catch (const host::Error&) {
  }
}

/// The next frame of that request that is no progress note.
Frame BoardSession::receive(Deadline deadline, std::uint32_t seq, const char* what,
                            const Progress& progress) {
  Deadline silence = host::after_ms(timeouts_.silence_ms);
  for (;;) {
    std::optional<Frame> frame;
    try {
      frame = frames_->receive_before(std::min(deadline, silence));
    } catch (const host::FrameError& error) {
      throw RigError(ADZE_DATA_LOSS, "board " + link_->name() + " answered garbage when asked to " +
                                         what + ": " + error.what());
    }
    if (!frame)
      throw RigError(ADZE_DEADLINE_EXCEEDED,
                     "board " + link_->name() + " did not answer in time when asked to " + what +
                         "; check it with `adze board info`, restart its agent if it hangs");
    const bool ours = frame->seq == seq && (nonce_ == 0 || frame->nonce == nonce_);
    // What the agent says about the link as a whole has no request.
    const bool about_link = frame->type == FrameType::error && frame->seq == 0;
    if (!ours && !about_link) continue;  // left over from another session
    if (frame->type == FrameType::error) {
      const ErrorNote note = ErrorNote::decode(frame->payload);
      if (note.busy) throw Busy(note.code, note.text);
      note.raise();
    }
    if (frame->type != FrameType::progress) return std::move(*frame);
    silence = host::after_ms(timeouts_.silence_ms);
    const ProgressNote note = ProgressNote::decode(frame->payload);
    if (progress) progress(note.fraction, note.doing);
  }
}

Deadline BoardSession::send(std::vector<std::byte> payload, std::int64_t timeout_ms) {
  if (!frames_)
    throw RigError(ADZE_UNAVAILABLE,
                   "board '" + board_.board + "' went away and did not come back");
  // The agent's own deadline comes first, and its answer says more.
  const Deadline deadline = host::after_ms(timeout_ms + 2 * kHeartbeatMs);
  frames_->send(
      {.type = FrameType::request, .seq = ++seq_, .nonce = nonce_, .payload = std::move(payload)},
      deadline, FrameLink::Send::with_more);
  return deadline;
}

Frame BoardSession::receive_response(Deadline deadline, std::uint32_t seq, const char* what,
                                     const Progress& progress) {
  frames_->flush(deadline);
  for (;;) {
    Frame frame = receive(deadline, seq, what, progress);
    if (frame.type == FrameType::response) return frame;
  }
}

Frame BoardSession::ask(std::vector<std::byte> payload, std::int64_t timeout_ms, const char* what,
                        const std::function<void()>& send_data, const Progress& progress) {
  const Deadline deadline = send(std::move(payload), timeout_ms);
  if (send_data) send_data();
  return receive_response(deadline, seq_, what, progress);
}

void BoardSession::send_stream(std::uint16_t stream, std::span<const std::byte> bytes,
                               Deadline deadline) {
  Frame frame{.type = FrameType::data, .stream = stream, .seq = seq_, .nonce = nonce_};
  do {
    const auto part = bytes.first(std::min(bytes.size(), kPieceBytes));
    bytes = bytes.subspan(part.size());
    frame.flags = bytes.empty() ? host::kFrameLast : 0;
    frames_->send(frame, part, deadline, FrameLink::Send::with_more);
    ++frame.part;
  } while (!bytes.empty());
}

std::vector<std::byte> BoardSession::receive_stream(std::uint16_t stream, std::uint64_t max_bytes,
                                                    const char* what) {
  const auto bad = [&](const std::string& how) {
    throw RigError(ADZE_DATA_LOSS, "board " + link_->name() + " sent " + how + " when asked to " +
                                       what + "; update its agent");
  };
  std::vector<std::byte> bytes;
  const Deadline deadline = host::after_ms(timeouts_.run_ms);
  for (std::uint16_t part = 0;;) {
    const Frame frame = receive(deadline, seq_, what, {});
    // What came twice: the response, or data that is here already.
    if (frame.type == FrameType::response) continue;
    if (frame.type != FrameType::data || frame.stream > stream) bad("something but its data");
    const auto distance = static_cast<std::int16_t>(frame.part - part);
    if (frame.stream < stream || distance < 0) continue;
    if (distance > 0) bad("its data without a part that was lost");
    ++part;
    if (frame.payload.size() > max_bytes - bytes.size()) bad("more data than it announced");
    bytes.insert(bytes.end(), frame.payload.begin(), frame.payload.end());
    if (frame.flags & host::kFrameLast) return bytes;
  }
}

InfoReply BoardSession::info() {
  return with_attempts([&] {
    return InfoReply::decode(
        ask(encode_plain(Verb::info, timeouts_.quick_ms), timeouts_.quick_ms, "tell about itself")
            .payload);
  });
}

std::vector<SlotInfo> BoardSession::slots() {
  return with_attempts([&] {
    return SlotsReply::decode(
               ask(encode_plain(Verb::slots, timeouts_.quick_ms), timeouts_.quick_ms, "list slots")
                   .payload)
        .slots;
  });
}

Telemetry BoardSession::telemetry() {
  return with_attempts([&] {
    return Telemetry::decode(ask(encode_plain(Verb::telemetry, timeouts_.quick_ms),
                                 timeouts_.quick_ms, "read its sensors")
                                 .payload);
  });
}

FlashResult BoardSession::flash(const ByteSource& source, const Progress& progress) {
  return with_attempts([&] { return flash_once(source, progress); });
}

FlashResult BoardSession::flash_once(const ByteSource& source, const Progress& progress) {
  const Bundle bundle(source);
  FlashResult result{.bundle = bundle.id()};
  const FlashBegin begin{.bundle = bundle.id(),
                         .board_type = bundle.manifest().board_type,
                         .size_bytes = source.size()};
  const FlashBeginReply begun = FlashBeginReply::decode(
      ask(begin.encode(timeouts_.store_ms), timeouts_.store_ms, "begin a flash", {}, progress)
          .payload);
  result.skipped = begun.present;
  if (begun.present) return result;
  struct Piece {
    std::uint32_t seq;
    std::uint64_t end;
    Deadline deadline;
  };
  std::deque<Piece> on_the_way;
  std::vector<std::byte> piece;
  for (std::uint64_t sent = begun.offset, stored = begun.offset; stored < source.size();) {
    while (sent < source.size() && on_the_way.size() < kPiecesOnTheWay) {
      piece.resize(
          static_cast<std::size_t>(std::min<std::uint64_t>(kPieceBytes, source.size() - sent)));
      source.read(sent, piece);
      const Deadline deadline =
          send(FlashData{.offset = sent, .size_bytes = piece.size()}.encode(timeouts_.quick_ms),
               timeouts_.quick_ms);
      send_stream(0, piece, host::after_ms(timeouts_.quick_ms));
      sent += piece.size();
      on_the_way.push_back({.seq = seq_, .end = sent, .deadline = deadline});
    }
    const Piece first = on_the_way.front();
    on_the_way.pop_front();
    const Frame reply =
        receive_response(first.deadline, first.seq, "store a piece of a bundle", {});
    const std::uint64_t told = FlashDataReply::decode(reply.payload).offset;
    if (told != first.end)
      throw RigError(ADZE_DATA_LOSS, "board " + link_->name() + " says it stored " +
                                         std::to_string(told) + " bytes, " +
                                         std::to_string(first.end) + " were sent");
    result.sent_bytes += told - stored;
    progressed_ = true;
    stored = told;
    if (progress)
      progress(static_cast<double>(stored) / static_cast<double>(source.size()), "sending");
  }
  const Frame reply =
      ask(BundleRequest{.bundle = bundle.id()}.encode(Verb::flash_commit, timeouts_.store_ms),
          timeouts_.store_ms, "store a bundle", {}, progress);
  const FlashCommitReply stored = FlashCommitReply::decode(reply.payload);
  if (stored.bundle != result.bundle)
    throw RigError(ADZE_ABORTED, "board " + link_->name() + " says it stored bundle " +
                                     stored.bundle.substr(0, 12) + ", " +
                                     result.bundle.substr(0, 12) +
                                     " was sent; it was not activated: check the agent");
  result.signed_by = stored.signed_by;
  return result;
}

ActivateReply BoardSession::activate(const std::string& bundle) {
  loaded_.clear();
  return with_attempts([&] {
    return ActivateReply::decode(
        ask(BundleRequest{.bundle = bundle}.encode(Verb::activate, timeouts_.load_ms),
            timeouts_.load_ms, "activate a bundle")
            .payload);
  });
}

LoadReply BoardSession::load() {
  loaded_.clear();
  return with_attempts([&] { return load_once(); });
}

LoadReply BoardSession::load_once() {
  LoadReply reply = LoadReply::decode(
      ask(encode_plain(Verb::load, timeouts_.load_ms), timeouts_.load_ms, "load the active bundle")
          .payload);
  loaded_ = reply.bundle;
  return reply;
}

RunResult BoardSession::run(std::span<const TensorSpec> specs, std::span<const host::Tensor> inputs,
                            const RunSettings& settings, const Progress& progress) {
  if (settings.drop_first) warm_ = settings;
  return with_attempts([&] {
    RunSettings now = settings;
    // A worker that was started for another attempt is as cold as the first.
    if (std::exchange(fresh_, false) && warm_.drop_first) {
      now.drop_first = true;
      now.warmup_ms = warm_.warmup_ms;
    }
    return run_once(specs, inputs, now, progress);
  });
}

RunResult BoardSession::run_once(std::span<const TensorSpec> specs,
                                 std::span<const host::Tensor> inputs, const RunSettings& settings,
                                 const Progress& progress) {
  if (specs.size() != inputs.size())
    throw host::Error(ADZE_INVALID_ARGUMENT, "the model on the board has " +
                                                 std::to_string(specs.size()) + " inputs, " +
                                                 std::to_string(inputs.size()) + " were given");
  RunRequest request{.inputs = {specs.begin(), specs.end()}, .settings = settings};
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    request.inputs[i].dtype = inputs[i].dtype();
    request.inputs[i].shape = inputs[i].shape();
  }
  const auto send_inputs = [&] {
    for (std::size_t i = 0; i < inputs.size(); ++i)
      send_stream(static_cast<std::uint16_t>(i), inputs[i].bytes(),
                  host::after_ms(timeouts_.run_ms));
  };
  const Frame response = ask(request.encode(timeouts_.run_ms), timeouts_.run_ms, "run the model",
                             send_inputs, progress);
  const RunReply reply = RunReply::decode(response.payload);
  RunResult result{.first_ns = reply.first_ns,
                   .warmup_count = reply.warmup_count,
                   .before = reply.before,
                   .after = reply.after};
  std::uint16_t stream = 0;
  for (const TensorSpec& spec : reply.outputs) {
    const auto bytes = receive_stream(stream++, size_bytes(spec), "send outputs");
    if (bytes.size() != size_bytes(spec))
      throw RigError(ADZE_DATA_LOSS, "board " + link_->name() + " sent " +
                                         std::to_string(bytes.size()) + " bytes of output '" +
                                         spec.name + "', " + std::to_string(size_bytes(spec)) +
                                         " were announced");
    result.outputs.push_back(
        {spec.name, host::Tensor(spec.dtype, spec.shape, std::span<const std::byte>(bytes))});
  }
  const std::uint64_t limit = std::min<std::uint64_t>(reply.time_count, 1u << 26);
  const auto times = receive_stream(stream, limit * sizeof(std::int64_t), "send times");
  if (times.size() != reply.time_count * sizeof(std::int64_t))
    throw RigError(ADZE_DATA_LOSS, "board " + link_->name() + " sent fewer times than announced");
  result.times_ns.resize(static_cast<std::size_t>(reply.time_count));
  if (!times.empty()) std::memcpy(result.times_ns.data(), times.data(), times.size());
  return result;
}

std::vector<host::ProfileRow> BoardSession::profile() {
  ask(encode_plain(Verb::profile, timeouts_.load_ms), timeouts_.load_ms, "profile");
  std::vector<host::ProfileRow> rows;
  for (ProfileEntry& entry :
       ProfileReply::decode(receive_stream(0, kMaxProfileBytes, "send its profile")).rows)
    rows.push_back({.nodes = std::move(entry.nodes),
                    .engine = std::move(entry.engine),
                    .latency_ms = entry.latency_ms,
                    .bytes = entry.bytes,
                    .predicted = entry.predicted});
  return rows;
}

void BoardSession::reset() {
  loaded_.clear();
  ask(encode_plain(Verb::reset, timeouts_.quick_ms), timeouts_.quick_ms, "reset");
  nonce_ = 0;
}

}  // namespace adze::hil
