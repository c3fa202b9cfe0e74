#include "host/isolate/worker_link.hpp"

#include "host/base/error.hpp"
#include "host/isolate/faults.hpp"

namespace adze::host {
namespace {

constexpr std::int64_t kSliceMs = 60'000;  ///< the host may take any time to answer

}  // namespace

void WorkerLink::send(Verb verb, const Writer& contents) {
  try {
    send_message(channel_, verb, contents, after_ms(kSendMs));
  } catch (const RigError& error) {
    end_of_link(error.what());
  }
}

Message WorkerLink::receive() {
  try {
    for (;;)
      if (auto frame = channel_.receive_before(after_ms(kSliceMs)))
        return Message(std::move(*frame), channel_);
  } catch (const std::exception& error) {
    end_of_link(error.what());
  }
}

void WorkerLink::tell(Verb verb, const Writer& contents) {
  const std::scoped_lock lock(mutex_);
  send(verb, contents);
}

Message WorkerLink::ask(Verb verb, const Writer& contents) {
  const std::scoped_lock lock(mutex_);
  send(verb, contents);
  return receive();
}

std::optional<Message> WorkerLink::next_request() {
  try {
    for (;;)
      if (auto frame = channel_.receive_before(after_ms(kSliceMs)))
        return Message(std::move(*frame), channel_);
  } catch (const ChannelClosed&) {
    return std::nullopt;
  }
}

}  // namespace adze::host
