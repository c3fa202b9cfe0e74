// Goes through a recording again: the host's code as it is now, the board as it was.
#pragma once

#include <optional>
#include <string>

#include "hil/record/recording.hpp"
#include "host/base/error.hpp"

namespace adze::hil {

/// The host does something else than when the recording was made; the text says where and what.
struct Divergence : host::Error {
  explicit Divergence(const std::string& text) : Error(ADZE_ABORTED, text) {}
  host::Exit exit() const override { return host::Exit::failed; }
};

/// One session at a time. Waits for nothing but what the session itself sleeps.
class Replayer {
 public:
  explicit Replayer(Recording recording) : recording_(std::move(recording)) {}
  const RecordingHeader& header() const { return recording_.header; }
  /// The board of the next session; links must not outlive this. Errors while they are used:
  /// Divergence, and what the recording has.
  LinkOpener open();
  /// Of the next session. Errors: Divergence when there is none.
  const SessionTimeouts& timeouts();
  /// The command ended. Errors: the first Divergence, also one that nobody heard of; Divergence
  /// when the recording goes on, or ended otherwise.
  void finish(host::Exit exit);

 private:
  friend class ReplayLink;
  /// The next event, which the host must be about to meet; `doing`: what it does.
  template <class Expected>
  const Expected& next(const std::string& doing);
  const Event* peek() const;
  [[noreturn]] void diverge(const std::string& doing);
  void raise_failure();

  Recording recording_;
  std::size_t at_ = 0;
  std::optional<Divergence> first_;
};

}  // namespace adze::hil
