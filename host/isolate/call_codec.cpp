#include "host/isolate/call_codec.hpp"

#include "host/isolate/shared_constants.hpp"

namespace adze::host {
namespace {

template <class Table>
void find(adze_call* call, const char* id, const Table*& table) {
  table = static_cast<const Table*>(call->host->get_extension(call, id));
}

}  // namespace

Offers offers_of(adze_call* call) {
  Offers offers;
  find(call, ADZE_CALIBRATION, offers.calibration);
  find(call, ADZE_EVALUATE, offers.evaluate);
  find(call, ADZE_LATENCY, offers.latency);
  find(call, ADZE_DATASET, offers.dataset);
  find(call, ADZE_STRUCTURE, offers.structure);
  find(call, ADZE_REFIT, offers.refit);
  find(call, ADZE_ONNX_BYTES, offers.onnx_bytes);
  find(call, ADZE_PARALLEL, offers.parallel);
  return offers;
}

void write_call(Writer& to, adze_call* call, std::uint64_t argument_count, GraphSource graph) {
  to.number(call->threads);
  to.number(call->seed);
  write_properties(to, call->arguments, argument_count);
  write_target(to, call->target);
  const Offers offers = offers_of(call);
  to.number<std::uint8_t>(offers.calibration != nullptr);
  to.number<std::uint32_t>(offers.calibration ? offers.calibration->sample_count : 0);
  to.number<std::uint8_t>(offers.evaluate != nullptr);
  to.number<std::uint32_t>(offers.evaluate ? offers.evaluate->sample_count : 0);
  to.number<std::uint8_t>(offers.latency != nullptr);
  to.number<std::uint32_t>(offers.latency ? offers.latency->source : 0);
  to.number<std::uint8_t>(offers.dataset != nullptr);
  to.number<std::uint32_t>(offers.dataset ? offers.dataset->labeled : 0);
  to.number<std::uint64_t>(offers.dataset ? offers.dataset->train_count : 0);
  to.number<std::uint64_t>(offers.dataset ? offers.dataset->held_out_count : 0);
  to.number<std::uint8_t>(offers.dataset && ADZE_HAS(offers.dataset, adze_dataset, reference));
  to.number<std::uint8_t>(offers.structure != nullptr);
  to.number<std::uint8_t>(offers.refit != nullptr);
  to.array(offers.refit ? offers.refit->nodes : nullptr,
           offers.refit ? offers.refit->node_count : 0);
  to.number<std::uint8_t>(offers.onnx_bytes != nullptr);
  to.number<std::uint8_t>(offers.parallel != nullptr);
  if (graph == GraphSource::here && !call->graph) graph = GraphSource::none;
  to.number(static_cast<std::uint8_t>(graph));
  if (graph != GraphSource::here) return;
  to.show_graph();
  const SharedConstants constants(call);
  write_graph(to, *call->graph, &constants);
}

ReadCall read_call(Reader& from, Pool& pool) {
  ReadCall read;
  std::uint64_t arguments = 0;
  read.call.struct_size = sizeof read.call;
  read.call.threads = from.number<std::uint32_t>();
  read.call.seed = from.number<std::uint64_t>();
  read.call.arguments = read_properties(from, pool, arguments);
  read.call.target = read_target(from, pool);
  read.calibration = from.number<std::uint8_t>();
  read.calibration_samples = from.number<std::uint32_t>();
  read.evaluate = from.number<std::uint8_t>();
  read.evaluate_samples = from.number<std::uint32_t>();
  read.latency = from.number<std::uint8_t>();
  read.latency_source = from.number<std::uint32_t>();
  read.dataset = from.number<std::uint8_t>();
  read.labeled = from.number<std::uint32_t>();
  read.train_count = from.number<std::uint64_t>();
  read.held_out_count = from.number<std::uint64_t>();
  read.reference = from.number<std::uint8_t>();
  read.structure = from.number<std::uint8_t>();
  read.refit = from.number<std::uint8_t>();
  std::uint64_t refits = 0;
  const auto* nodes = from.array<std::uint32_t>(refits);
  read.refits.assign(nodes, nodes + refits);
  read.onnx_bytes = from.number<std::uint8_t>();
  read.parallel = from.number<std::uint8_t>();
  read.graph = static_cast<GraphSource>(from.number<std::uint8_t>());
  if (read.graph == GraphSource::here) read.call.graph = read_graph(from, pool);
  return read;
}

}  // namespace adze::host
