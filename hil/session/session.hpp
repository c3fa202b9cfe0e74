// A session with a board: what the host asks of an agent.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "hil/link/frame_link.hpp"
#include "hil/protocol/bundle.hpp"
#include "hil/protocol/messages.hpp"
#include "host/evaluate/runner.hpp"

namespace adze::hil {

/// How long each step may take. A silent agent is given up earlier: see kHeartbeatMs.
struct SessionTimeouts {
  std::int64_t hello_ms = 5'000;
  std::int64_t quick_ms = 10'000;    ///< info, slots, telemetry, one piece of a bundle
  std::int64_t store_ms = 120'000;   ///< begin and commit: hashing on the board
  std::int64_t load_ms = 120'000;    ///< load and smoke test
  std::int64_t run_ms = 300'000;     ///< one batch
  std::int64_t silence_ms = 10'000;  ///< no progress frame for so long: the agent hangs
  /// Tries of each request when the link failed: a new session is opened in between. What the board
  /// itself reports is not tried again.
  int attempts = 1;
  std::int64_t recover_ms = 5'000;  ///< the longest wait for a board that went away
};

/// Opens the link to the same board again.
using LinkOpener = std::function<std::unique_ptr<Link>(Deadline)>;

struct RunResult {
  std::vector<host::NamedTensor> outputs;
  std::vector<std::int64_t> times_ns;  ///< one an inference
  std::int64_t first_ns = 0, warmup_count = 0;
  Telemetry before, after;
};

struct FlashResult {
  std::string bundle;
  bool skipped = false;          ///< the board had it already
  std::uint64_t sent_bytes = 0;  ///< less than all when an earlier flash was resumed
  std::string signed_by;         ///< empty: unsigned, or skipped
};

/// Holds the board from construction to destruction. One user at a time. Errors of all: RigError
/// when the rig failed (gone, busy, silent, garbage), PluginError when what ran on it failed, Error
/// when the request was wrong.
class BoardSession {
 public:
  using Progress = std::function<void(double fraction, const std::string& doing)>;

  /// Errors: RigError UNAVAILABLE also when another session holds the board, naming its client.
  explicit BoardSession(std::unique_ptr<Link> link, SessionTimeouts timeouts = {});
  explicit BoardSession(LinkOpener opener, SessionTimeouts timeouts = {});
  static BoardSession open(const std::string& address, SessionTimeouts timeouts = {});
  /// Gives the board back.
  ~BoardSession();
  BoardSession(BoardSession&&) = default;

  const HelloReply& board() const { return board_; }
  /// What went wrong with the link and was got over, in order: a pass with these is a pass, and
  /// says so.
  const std::vector<std::string>& recovered() const { return recovered_; }
  InfoReply info();
  std::vector<SlotInfo> slots();
  Telemetry telemetry();
  /// Sends what the board does not have. `source` is a whole .adze file.
  FlashResult flash(const ByteSource& source, const Progress& progress = {});
  /// Runs the smoke test and makes the bundle the active one.
  ActivateReply activate(const std::string& bundle);
  LoadReply load();
  RunResult run(std::span<const TensorSpec> specs, std::span<const host::Tensor> inputs,
                const RunSettings& settings = {}, const Progress& progress = {});
  std::vector<host::ProfileRow> profile();
  /// Kills what runs there and ends the session.
  void reset();

 private:
  host::Frame ask(std::vector<std::byte> payload, std::int64_t timeout_ms, const char* what,
                  const std::function<void()>& send_data = {}, const Progress& progress = {});
  /// It may wait for receive_response() to go out. Returns when its answer is to be there.
  Deadline send(std::vector<std::byte> payload, std::int64_t timeout_ms);
  host::Frame receive(Deadline deadline, std::uint32_t seq, const char* what,
                      const Progress& progress);
  host::Frame receive_response(Deadline deadline, std::uint32_t seq, const char* what,
                               const Progress& progress);
  void send_stream(std::uint16_t stream, std::span<const std::byte> bytes, Deadline deadline);
  std::vector<std::byte> receive_stream(std::uint16_t stream, std::uint64_t max_bytes,
                                        const char* what);
  void say_hello();
  /// A new session with the same board, with the model loaded that was.
  void recover(const host::Error& why);
  template <class Body>
  auto with_attempts(Body&& body);
  LoadReply load_once();
  FlashResult flash_once(const ByteSource& source, const Progress& progress);
  RunResult run_once(std::span<const TensorSpec> specs, std::span<const host::Tensor> inputs,
                     const RunSettings& settings, const Progress& progress);

  LinkOpener opener_;
  std::unique_ptr<Link> link_;
  std::unique_ptr<FrameLink> frames_;
  SessionTimeouts timeouts_;
  HelloReply board_;
  std::uint64_t nonce_ = 0;
  std::uint32_t seq_ = 0;
  std::string loaded_;       ///< bundle
  bool fresh_ = false;       ///< loaded by recover(): the first call is slow again
  bool progressed_ = false;  ///< since the last fault: attempts are counted anew
  RunSettings warm_;         ///< how the model was warmed up
  std::vector<std::string> recovered_;
};

/// "alice@lab-pc (process 4711)": who says hello from here.
std::string client_name();

}  // namespace adze::hil
