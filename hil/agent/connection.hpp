// One client of the agent: its frames, its session, its worker.
#pragma once

#include <deque>

#include "hil/agent/agent.hpp"
#include "hil/link/frame_link.hpp"

namespace adze::hil {

class Connection {
 public:
  Connection(Agent& agent, Link& link, const std::atomic<bool>& stop);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  Agent::Ended serve();

 private:
  // Of frames.
  std::optional<host::Frame> next_frame(Deadline deadline);
  void handle(const host::Frame& frame);
  void answer(const host::Frame& request);
  void reply(std::vector<std::byte> payload, FrameLink::Send when = FrameLink::Send::now);
  void send_error(const host::Frame& to, const ErrorNote& note);
  void send_stream(std::uint16_t stream, std::span<const std::byte> bytes);
  std::vector<std::vector<std::byte>> receive_streams(const std::vector<std::uint64_t>& sizes);
  /// Tells the client that work goes on; throws CANCELLED when it wants no more.
  void pulse(double fraction, const char* doing);

  // Of verbs; each replies.
  void hello(const host::Frame& frame, bool repeated);
  void dispatch(Verb verb, const host::Frame& frame);
  void info();
  void flash_data(const FlashData& request);
  void activate(const std::string& bundle);
  double smoke_test(const Manifest& manifest, const std::filesystem::path& slot);
  void load();
  void run(RunRequest request);
  void send_results(RunReply reply, const std::vector<host::SharedBuffer>& outputs,
                    std::span<const std::byte> times);
  /// As a board whose processor is stuck: until the client gives up.
  void hang();

  Agent& agent_;
  FrameLink frames_;
  const std::atomic<bool>& stop_;
  BoardWorker worker_;
  std::string loaded_;
  std::string client_;             ///< of the last hello
  bool last_was_hello_ = false;    ///< no request came since
  std::uint64_t nonce_ = 0;        ///< 0: no session
  std::uint32_t seq_ = 0;          ///< of the request being answered, or the last one
  Deadline deadline_, next_beat_;  ///< of that request
  std::deque<host::Frame> waiting_;
};

}  // namespace adze::hil
