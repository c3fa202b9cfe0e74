// A measured latency with the conditions it was measured under: neither is worth anything alone.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "hil/measure/ab.hpp"
#include "hil/measure/energy.hpp"
#include "hil/measure/statistics.hpp"
#include "hil/protocol/messages.hpp"

namespace adze::hil {

struct ConsoleLine {
  double at_s = 0;  ///< since the first run began
  std::string text;
};

struct Conditions {
  bool simulated = false;
  bool lab = false;  ///< the board takes unsigned bundles
  std::string board, board_type, agent, backend, kernel, machine, boot_id, bundle;
  std::int64_t batch = 1;  ///< samples in one inference
  bool first_dropped = false;
  double first_ms = 0;  ///< of the dropped first call
  std::int64_t warmup_count = 0;
  Telemetry before, after;
  std::vector<Telemetry> along;          ///< between parts of the run
  std::vector<std::string> throttled;    ///< why the times are not to be believed
  std::vector<std::string> warnings;     ///< what else makes them vary
  std::vector<std::string> link_faults;  ///< that the session got over
  std::vector<ConsoleLine> console;      ///< the last lines, where one is captured
  std::size_t console_forgotten = 0;     ///< lines before them
  std::int64_t attempts = 1;             ///< runs until one was not throttled; this is the last
};

struct Measurement {
  std::vector<double> samples_ms;  ///< raw, in the order they were made
  Statistics statistics;           ///< of samples_ms
  Conditions conditions;
  std::optional<Energy> energy;  ///< where a meter ran along
};

/// Errors: INVALID_ARGUMENT without times.
Measurement make_measurement(const std::vector<std::int64_t>& times_ns, Conditions conditions);

/// Keys as `adze board bench --json` has them: samples_ms, n, min_ms, ..., conditions.
nlohmann::json to_json(const Measurement& measurement);
nlohmann::json to_json(const Conditions& conditions);
nlohmann::json to_json(const AbResult& result);

/// The raw times of runs, kept before anything is computed from them: a file of JSON lines, each
/// {side, times_ns[], conditions{}}, synced to the storage line by line.
struct RawRun {
  std::string side;  ///< "A" or "B" of a comparison; empty: there is none
  std::vector<std::int64_t> times_ns;
};
/// Errors: PERMISSION_DENIED, NOT_FOUND, RESOURCE_EXHAUSTED.
void append_raw(const std::filesystem::path& file, const RawRun& run, const Conditions& conditions);
/// Errors: DATA_LOSS naming the line.
std::vector<RawRun> read_raw(const std::filesystem::path& file);

}  // namespace adze::hil
