#include "hil/agent/board_worker.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "hil/protocol/fields.hpp"
#include "host/base/cbor.hpp"
#include "host/base/error.hpp"

namespace adze::hil {
namespace {

using host::Deadline;
using host::Frame;
using host::FrameType;
using host::PluginError;

constexpr std::int64_t kSliceMs = 50;

}  // namespace

Frame BoardWorker::ask(std::vector<std::byte> payload, std::span<const host::OwnedFd> descriptors,
                       const char* doing, Deadline deadline, const Pulse& pulse) {
  if (!process_)
    throw host::Error(ADZE_FAILED_PRECONDITION, "no bundle is loaded; send `load` first");
  try {
    const Frame request{.type = FrameType::request, .seq = ++seq_, .payload = std::move(payload)};
    process_->channel().send(request, descriptors, deadline);
    double fraction = 0;
    for (;;) {
      const Deadline slice = std::min(deadline, host::after_ms(kSliceMs));
      std::optional<Frame> frame = process_->receive_before(slice);
      if (frame && frame->seq == seq_ && frame->type == FrameType::response) return *frame;
      if (frame && frame->seq == seq_ && frame->type == FrameType::error)
        ErrorNote::decode(frame->payload).raise();
      if (frame && frame->seq == seq_ && frame->type == FrameType::progress)
        fraction = ProgressNote::decode(frame->payload).fraction;
      if (host::remaining_ms(deadline) == 0)
        throw PluginError(ADZE_DEADLINE_EXCEEDED,
                          options_.component + " did not finish " + doing +
                              " in time on the board and was killed" + process_->last_words() +
                              "; give it more time, or look for what hangs");
      pulse(fraction, doing);
    }
  } catch (const host::ChannelClosed&) {
    const std::string end = process_->describe_end();
    stop();
    throw PluginError(ADZE_ABORTED, "the worker that ran " + options_.component +
                                        " on the board ended while " + doing + ": " + end);
  } catch (const host::FrameError& error) {
    stop();
    throw PluginError(ADZE_DATA_LOSS,
                      options_.component + ": the worker's socket carried " + error.what());
  } catch (const host::Error& error) {
    // What the worker itself reported leaves it usable; whoever gave up does not wait for it.
    if (error.code == ADZE_DEADLINE_EXCEEDED || error.code == ADZE_CANCELLED ||
        error.exit() == host::Exit::rig)
      stop();
    throw;
  }
}

void BoardWorker::load(const std::filesystem::path& slot, Deadline deadline, const Pulse& pulse) {
  std::vector<std::string> arguments{"--plugin",    options_.plugin.string(),
                                     "--component", options_.component,
                                     "--threads",   std::to_string(options_.threads)};
  for (const std::string& setting : options_.settings) {
    arguments.emplace_back("--set");
    arguments.push_back(setting);
  }
  process_ = std::make_unique<host::WorkerProcess>(options_.program, arguments);
  try {
    ask(host::encode_cbor({{"verb", "load"}, {"dir", std::filesystem::absolute(slot).string()}}),
        {}, "loading", deadline, pulse);
  } catch (...) {
    stop();
    throw;
  }
}

BoardWorker::Timed BoardWorker::run(const RunRequest& request,
                                    const std::vector<std::vector<std::byte>>& inputs,
                                    Deadline deadline, const Pulse& pulse) {
  std::vector<host::OwnedFd> descriptors;
  for (const auto& input : inputs) descriptors.push_back(host::share(input));
  const Frame response =
      ask(request.encode(std::max<std::int64_t>(1, host::remaining_ms(deadline))), descriptors,
          "running", deadline, pulse);
  RunReply reply = RunReply::decode(response.payload);
  auto received = process_->channel().take_descriptors(reply.outputs.size() + 1);
  std::vector<host::SharedBuffer> outputs;
  for (std::size_t i = 0; i < reply.outputs.size(); ++i)
    outputs.emplace_back(std::move(received[i]), size_bytes(reply.outputs[i]));
  host::SharedBuffer times(std::move(received.back()), reply.time_count * sizeof(std::int64_t));
  return {.reply = std::move(reply), .outputs = std::move(outputs), .times = std::move(times)};
}

std::vector<std::byte> BoardWorker::profile(Deadline deadline, const Pulse& pulse) {
  const Frame response =
      ask(host::encode_cbor({{"verb", "profile"}}), {}, "profiling", deadline, pulse);
  const nlohmann::json message = host::decode_cbor(response.payload, "a worker's profile");
  const auto size =
      Fields(message, "a worker's profile").integer("size_bytes", 0, kMaxProfileBytes);
  auto received = process_->channel().take_descriptors(1);
  const host::SharedBuffer buffer(std::move(received.front()), static_cast<std::size_t>(size));
  return {buffer.bytes().begin(), buffer.bytes().end()};
}

}  // namespace adze::hil
