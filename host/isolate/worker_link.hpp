// The worker's end of the socket, for the functions that a component calls.
#pragma once

#include <mutex>

#include "host/isolate/wire.hpp"

namespace adze::host {

/// Any thread of the component may send; whoever waits for an answer keeps the others waiting.
/// Errors: RESOURCE_EXHAUSTED when a large message finds no memory. A link that is broken ends the
/// process: nothing sensible is left to do.
class WorkerLink {
 public:
  explicit WorkerLink(Channel& channel) : channel_(channel) {}

  void tell(Verb verb, const Writer& contents);
  Message ask(Verb verb, const Writer& contents);
  /// The next request of the host; nullopt when it is gone.
  std::optional<Message> next_request();

 private:
  void send(Verb verb, const Writer& contents);
  Message receive();

  Channel& channel_;
  std::mutex mutex_;
};

}  // namespace adze::host
