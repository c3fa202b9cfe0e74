// What one adze_call carries besides the graph's contents, as bytes and back, and which of the
// host's services it offers.
#pragma once

#include <adze/ext/calibration.h>
#include <adze/ext/draft/dataset.h>
#include <adze/ext/draft/evaluate.h>
#include <adze/ext/draft/latency.h>
#include <adze/ext/draft/parallel.h>
#include <adze/ext/draft/refit.h>
#include <adze/ext/draft/structure.h>
#include <adze/ext/onnx_bytes.h>

#include <vector>

#include "host/isolate/view_codec.hpp"

namespace adze::host {

/// The tables of a call's services; NULL: not offered. In the host they are those of the host; in
/// a worker, structs with the figures of the host and the worker's functions.
struct Offers {
  const adze_calibration* calibration = nullptr;
  const adze_evaluate* evaluate = nullptr;
  const adze_latency* latency = nullptr;
  const adze_dataset* dataset = nullptr;
  const adze_structure* structure = nullptr;
  const adze_refit* refit = nullptr;
  const adze_onnx_bytes* onnx_bytes = nullptr;
  const adze_parallel* parallel = nullptr;  ///< a worker lends its own threads
};
Offers offers_of(adze_call* call);

enum class GraphSource : std::uint8_t {
  none,       ///< create()
  here,       ///< in this message
  executable  ///< the one that the executable was made from
};

void write_call(Writer& to, adze_call* call, std::uint64_t argument_count, GraphSource graph);

/// What came out of a message. `call` has no functions and, for GraphSource::executable, no graph.
struct ReadCall {
  adze_call call{};
  GraphSource graph = GraphSource::none;
  bool calibration = false, evaluate = false, latency = false, dataset = false, structure = false,
       onnx_bytes = false, parallel = false, reference = false, refit = false;
  std::uint32_t calibration_samples = 0, evaluate_samples = 0, latency_source = 0, labeled = 0;
  std::uint64_t train_count = 0, held_out_count = 0;
  std::vector<std::uint32_t> refits;
};
ReadCall read_call(Reader& from, Pool& pool);

}  // namespace adze::host
