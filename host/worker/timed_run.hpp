// Inferences one after the other, each with its time.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "hil/protocol/messages.hpp"
#include "host/evaluate/runner.hpp"

namespace adze::host {

struct TimedRun {
  std::vector<NamedTensor> outputs;    ///< of the first pass, joined along the batch
  std::vector<std::int64_t> times_ns;  ///< CLOCK_MONOTONIC_RAW, one an inference
  std::int64_t first_ns = 0, warmup_count = 0;
};

/// Feeds `batch` samples at a time. The specs say which axis is the batch; an output without one is
/// that of the first inference. `progress` is called between inferences.
TimedRun run_timed(Runner& runner, std::span<const hil::TensorSpec> input_specs,
                   std::span<const hil::TensorSpec> output_specs, std::span<const Tensor> inputs,
                   std::int64_t batch, const hil::RunSettings& settings,
                   const std::function<void(double fraction)>& progress);

}  // namespace adze::host
