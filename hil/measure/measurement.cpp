#include "hil/measure/measurement.hpp"

#include <cmath>
#include <nlohmann/json.hpp>

namespace adze::hil {
namespace {

using nlohmann::json;

json number_or_null(double value) { return std::isfinite(value) ? json(value) : json(nullptr); }

json telemetry_json(const Telemetry& telemetry) {
  return {{"governor", telemetry.governor.empty() ? json(nullptr) : json(telemetry.governor)},
          {"frequency_mhz", number_or_null(telemetry.frequency_mhz)},
          {"temperature_c", number_or_null(telemetry.temperature_c)},
          {"load_1min", number_or_null(telemetry.load_1min)}};
}

}  // namespace

Measurement make_measurement(const std::vector<std::int64_t>& times_ns, Conditions conditions) {
  Measurement measurement{.conditions = std::move(conditions)};
  measurement.samples_ms.reserve(times_ns.size());
  for (const std::int64_t time : times_ns)
    measurement.samples_ms.push_back(static_cast<double>(time) / 1e6);
  measurement.statistics = statistics_of(measurement.samples_ms);
  return measurement;
}

json to_json(const Measurement& measurement) {
  const Statistics& s = measurement.statistics;
  const Conditions& c = measurement.conditions;
  return {{"samples_ms", measurement.samples_ms},
          {"n", s.n},
          {"min_ms", s.min},
          {"median_ms", s.median},
          {"mean_ms", s.mean},
          {"mad_ms", s.mad},
          {"p90_ms", s.p90},
          {"p95_ms", s.p95},
          {"p99_ms", s.p99 ? json(*s.p99) : json(nullptr)},
          {"max_ms", s.max},
          {"ci95_ms", {s.ci95_low, s.ci95_high}},
          {"outliers", {{"mild", s.mild_outliers}, {"severe", s.severe_outliers}}},
          {"conditions",
           {{"simulated", c.simulated},
            {"lab", c.lab},
            {"board", c.board},
            {"board_type", c.board_type},
            {"agent", c.agent},
            {"backend", c.backend},
            {"kernel", c.kernel},
            {"machine", c.machine},
            {"batch", c.batch},
            {"first_dropped", c.first_dropped},
            {"first_ms", c.first_dropped ? json(c.first_ms) : json(nullptr)},
            {"warmup_count", c.warmup_count},
            {"before", telemetry_json(c.before)},
            {"after", telemetry_json(c.after)}}}};
}

}  // namespace adze::hil
