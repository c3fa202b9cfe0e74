// A measured latency with the conditions it was measured under: neither is worth anything alone.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "hil/measure/statistics.hpp"
#include "hil/protocol/messages.hpp"

namespace adze::hil {

struct Conditions {
  bool simulated = false;
  bool lab = false;  ///< the board takes unsigned bundles
  std::string board, board_type, agent, backend, kernel, machine;
  std::int64_t batch = 1;  ///< samples in one inference
  bool first_dropped = false;
  double first_ms = 0;  ///< of the dropped first call
  std::int64_t warmup_count = 0;
  Telemetry before, after;
};

struct Measurement {
  std::vector<double> samples_ms;  ///< raw, in the order they were made
  Statistics statistics;           ///< of samples_ms
  Conditions conditions;
};

/// Errors: INVALID_ARGUMENT without times.
Measurement make_measurement(const std::vector<std::int64_t>& times_ns, Conditions conditions);

/// Keys as `adze board bench --json` has them: samples_ms, n, min_ms, ..., conditions.
nlohmann::json to_json(const Measurement& measurement);

}  // namespace adze::hil
