#include "host/worker/service.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "hil/protocol/fields.hpp"
#include "hil/protocol/manifest.hpp"
#include "host/base/cbor.hpp"
#include "host/base/file.hpp"
#include "host/worker/shared_buffer.hpp"
#include "host/worker/timed_run.hpp"

namespace adze::host {
namespace {

using hil::TensorSpec;
using nlohmann::json;

constexpr std::int64_t kSendMs = 10'000, kProgressMs = 250;

/// The model's inputs and outputs as a graph shows them: the batch axis has size 1.
Graph signature_of(const hil::Manifest& manifest) {
  Graph graph;
  graph.name = manifest.model;
  const auto add = [&](const TensorSpec& spec) {
    Value value{.name = spec.name,
                .dtype = spec.dtype,
                .shape = spec.shape,
                .batch_axis = spec.batch_axis,
                .constant = {},
                .keep = {},
                .pattern = {},
                .quant = {},
                .consumers = {}};
    if (spec.batch_axis >= 0) value.shape->at(static_cast<std::size_t>(spec.batch_axis)) = 1;
    graph.values.push_back(std::move(value));
    return static_cast<std::uint32_t>(graph.values.size() - 1);
  };
  for (const TensorSpec& spec : manifest.inputs) graph.inputs.push_back(add(spec));
  for (const TensorSpec& spec : manifest.outputs) graph.outputs.push_back(add(spec));
  return graph;
}

}  // namespace

WorkerService::WorkerService(Channel& channel, const Component& backend, Settings settings,
                             CallOptions options)
    : channel_(channel),
      backend_(backend),
      settings_(std::move(settings)),
      options_(std::move(options)) {}

void WorkerService::serve() {
  for (;;) {
    std::optional<Frame> request;
    try {
      while (!request) request = channel_.receive_before(after_ms(60'000));
    } catch (const ChannelClosed&) {
      return;
    }
    Frame reply{.type = FrameType::response, .seq = request->seq, .payload = {}};
    Answer result;
    try {
      result = answer(*request);
      reply.payload = std::move(result.payload);
    } catch (const Error& error) {
      reply.type = FrameType::error;
      reply.payload = hil::ErrorNote::of(error).encode();
    } catch (const std::exception& error) {
      reply.type = FrameType::error;
      reply.payload = hil::ErrorNote{.code = ADZE_INTERNAL, .text = error.what()}.encode();
    }
    channel_.send(reply, result.descriptors, after_ms(kSendMs));
  }
}

WorkerService::Answer WorkerService::answer(const Frame& request) {
  const json message = decode_cbor(request.payload, "a request to a worker");
  const hil::Fields fields(message, "a request to a worker");
  const std::string verb = fields.text("verb");
  if (verb == "describe") return describe();
  if (verb == "load") return load(fields.text("dir"));
  if (verb == "run") return run(hil::RunRequest::decode(request.payload), request.seq);
  if (verb == "profile") return profile();
  throw Error(ADZE_UNIMPLEMENTED, "a worker does not know '" + verb + "'");
}

WorkerService::Answer WorkerService::describe() const {
  const adze_plugin& plugin = *backend_.plugin->plugin;
  return {.payload = encode_cbor({{"plugin", plugin.id},
                                  {"version", plugin.version},
                                  {"component", backend_.component->id}}),
          .descriptors = {}};
}

WorkerService::Answer WorkerService::load(const std::filesystem::path& slot) {
  executable_.reset();
  const hil::Manifest manifest =
      hil::Manifest::decode(read_file(slot / hil::kManifestPath, hil::kMaxManifestBytes));
  executable_ = std::make_unique<LoadedExecutable>(
      backend_, settings_, signature_of(manifest), slot / hil::kArtifactFolder, options_,
      LoadedExecutable::Options{.batch = static_cast<std::uint32_t>(manifest.batch),
                                .node_names = manifest.nodes,
                                .label = manifest.model});
  outputs_ = manifest.outputs;
  return {.payload = encode_cbor(json::object()), .descriptors = {}};
}

WorkerService::Answer WorkerService::run(const hil::RunRequest& request, std::uint32_t seq) {
  std::vector<Tensor> inputs;
  std::vector<OwnedFd> received = channel_.take_descriptors(request.inputs.size());
  if (!executable_) throw Error(ADZE_FAILED_PRECONDITION, "no bundle is loaded");
  for (std::size_t i = 0; i < received.size(); ++i) {
    const TensorSpec& spec = request.inputs[i];
    const SharedBuffer buffer(std::move(received[i]), hil::size_bytes(spec));
    inputs.emplace_back(spec.dtype, spec.shape, buffer.bytes());
  }
  Deadline next = after_ms(kProgressMs);
  const TimedRun result =
      run_timed(*executable_, request.inputs, outputs_, inputs, executable_->batch(),
                request.settings, [&](double fraction) {
                  if (remaining_ms(next) > 0) return;
                  next = after_ms(kProgressMs);
                  const hil::ProgressNote note{.fraction = fraction, .doing = "running"};
                  channel_.send({.type = FrameType::progress, .seq = seq, .payload = note.encode()},
                                {}, after_ms(kSendMs));
                });
  Answer answer;
  hil::RunReply reply{.time_count = result.times_ns.size(),
                      .first_ns = result.first_ns,
                      .warmup_count = result.warmup_count};
  for (const NamedTensor& output : result.outputs) {
    reply.outputs.push_back(
        {.name = output.name, .dtype = output.tensor.dtype(), .shape = output.tensor.shape()});
    answer.descriptors.push_back(share(output.tensor.bytes()));
  }
  answer.descriptors.push_back(share(std::as_bytes(std::span(result.times_ns))));
  answer.payload = reply.encode();
  return answer;
}

WorkerService::Answer WorkerService::profile() {
  if (!executable_) throw Error(ADZE_FAILED_PRECONDITION, "no bundle is loaded");
  hil::ProfileReply reply;
  for (const ProfileRow& row : executable_->profile())
    reply.rows.push_back({.nodes = row.nodes,
                          .engine = row.engine,
                          .latency_ms = row.latency_ms,
                          .bytes = row.bytes,
                          .predicted = row.predicted});
  const std::vector<std::byte> bytes = reply.encode();
  Answer answer{.payload = encode_cbor({{"size_bytes", bytes.size()}}), .descriptors = {}};
  answer.descriptors.push_back(share(bytes));
  return answer;
}

}  // namespace adze::host
