#include "hil/record/replayer.hpp"

#include <algorithm>
#include <cstring>
#include <variant>

namespace adze::hil {
namespace {

struct Name {
  std::string operator()(const Opened& opened) const { return "opens " + opened.address; }
  std::string operator()(const SentFrame& frame) const { return "sends " + text_of(frame); }
  std::string operator()(const Received&) const { return "reads an answer"; }
  std::string operator()(WasReset) const { return "resets the link"; }
  std::string operator()(const Failed& failed) const { return "meets: " + failed.text; }
  std::string operator()(Ended ended) const { return "ends with " + std::to_string(ended.exit); }
};

}  // namespace

class ReplayLink : public Link {
 public:
  ReplayLink(Replayer& replayer, std::string name, std::string client)
      : replayer_(replayer), name_(std::move(name)), client_(std::move(client)) {}
  std::string name() const override { return name_; }
  std::string client() const override { return client_; }
  bool is_stream() const override { return true; }

  void write(std::span<const std::byte> bytes, Deadline) override {
    replayer_.raise_failure();
    sent_.push(bytes);
    while (const auto frame = sent_.next()) {
      const SentFrame now = describe(*frame);
      const std::string doing = "sends " + text_of(now);
      if (replayer_.next<SentFrame>(doing) != now) {
        --replayer_.at_;
        replayer_.diverge(doing);
      }
    }
  }

  std::size_t read(std::span<std::byte> into, Deadline) override {
    if (left_.empty()) {
      replayer_.raise_failure();
      left_ = replayer_.next<Received>("waits for an answer").bytes;
    }
    const std::size_t count = std::min(into.size(), left_.size());
    std::copy_n(left_.begin(), count, into.begin());
    left_.erase(left_.begin(), left_.begin() + static_cast<std::ptrdiff_t>(count));
    return count;
  }

  void reset() override {
    replayer_.next<WasReset>("resets the link");
    sent_.reset();
    left_.clear();
    replayer_.raise_failure();
  }

 private:
  Replayer& replayer_;
  std::string name_, client_;
  host::FrameDecoder sent_;
  std::vector<std::byte> left_;  ///< of what was received, not read yet
};

const Event* Replayer::peek() const {
  return at_ < recording_.events.size() ? &recording_.events[at_] : nullptr;
}

void Replayer::diverge(const std::string& doing) {
  const Event* event = peek();
  const Divergence found("the replay diverges at line " + std::to_string(at_ + 2) +
                         " of the recording: the host " + doing + ", there it " +
                         (event ? std::visit(Name{}, *event) : "ends unfinished"));
  if (!first_) first_ = found;
  throw found;
}

template <class Expected>
const Expected& Replayer::next(const std::string& doing) {
  const Event* event = peek();
  if (!event || !std::holds_alternative<Expected>(*event)) diverge(doing);
  ++at_;
  return std::get<Expected>(*event);
}

/// What the host met here is met again.
void Replayer::raise_failure() {
  const Event* event = peek();
  if (!event || !std::holds_alternative<Failed>(*event)) return;
  ++at_;
  const Failed& failed = std::get<Failed>(*event);
  throw host::RigError(failed.code, failed.text);
}

LinkOpener Replayer::open() {
  return [this](Deadline) {
    const Opened& opened = next<Opened>("opens a link");
    raise_failure();
    return std::make_unique<ReplayLink>(*this, opened.address, opened.client);
  };
}

const SessionTimeouts& Replayer::timeouts() {
  const auto& opened = next<Opened>("opens a session");
  --at_;
  return opened.timeouts;
}

void Replayer::finish(host::Exit exit) {
  if (first_) throw Divergence(*first_);
  const std::string doing = "ends with " + std::to_string(static_cast<int>(exit));
  if (next<Ended>(doing).exit == static_cast<int>(exit)) return;
  --at_;
  diverge(doing);
}

}  // namespace adze::hil
