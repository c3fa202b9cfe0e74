#include "hil/measure/measurement.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "host/base/error.hpp"
#include "host/base/file.hpp"
#include "host/base/owned_fd.hpp"

namespace adze::hil {
namespace {

using nlohmann::json;

constexpr std::uint64_t kMaxRawBytes = 1u << 30;

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

json to_json(const Conditions& c) {
  json along = json::array();
  for (const Telemetry& telemetry : c.along) along.push_back(telemetry_json(telemetry));
  json console = json::array();
  for (const ConsoleLine& line : c.console)
    console.push_back({{"s", line.at_s}, {"text", line.text}});
  return {{"simulated", c.simulated},
          {"lab", c.lab},
          {"board", c.board},
          {"board_type", c.board_type},
          {"agent", c.agent},
          {"backend", c.backend},
          {"kernel", c.kernel},
          {"machine", c.machine},
          {"boot_id", c.boot_id},
          {"bundle", c.bundle},
          {"batch", c.batch},
          {"first_dropped", c.first_dropped},
          {"first_ms", c.first_dropped ? json(c.first_ms) : json(nullptr)},
          {"warmup_count", c.warmup_count},
          {"before", telemetry_json(c.before)},
          {"after", telemetry_json(c.after)},
          {"along", along},
          {"throttled", c.throttled},
          {"warnings", c.warnings},
          {"link_faults", c.link_faults},
          {"console", console},
          {"console_forgotten", c.console_forgotten},
          {"attempts", c.attempts}};
}

namespace {

json energy_json(const Energy& energy) {
  return {{"idle_w", energy.idle_w},
          {"mean_w", energy.mean_w},
          {"per_inference_mj", energy.per_inference_j * 1e3},
          {"ci95_mj",
           energy.ci95 ? json({energy.ci95->low * 1e3, energy.ci95->high * 1e3}) : json(nullptr)},
          {"samples", energy.samples},
          {"parts", energy.parts}};
}

}  // namespace

json to_json(const Measurement& measurement) {
  const Statistics& s = measurement.statistics;
  return {{"samples_ms", measurement.samples_ms},
          {"n", s.n},
          {"min_ms", s.min},
          {"median_ms", s.median},
          {"mean_ms", s.mean},
          {"deviation_ms", s.deviation},
          {"mad_ms", s.mad},
          {"p90_ms", s.p90},
          {"p95_ms", s.p95},
          {"p99_ms", s.p99 ? json(*s.p99) : json(nullptr)},
          {"max_ms", s.max},
          {"ci95_ms", s.ci95 ? json({s.ci95->low, s.ci95->high}) : json(nullptr)},
          {"outliers", {{"mild", s.mild_outliers}, {"severe", s.severe_outliers}}},
          {"energy", measurement.energy ? energy_json(*measurement.energy) : json(nullptr)},
          {"conditions", to_json(measurement.conditions)}};
}

json to_json(const AbResult& result) {
  return {{"n_a", result.n_a},
          {"n_b", result.n_b},
          {"median_a_ms", result.median_a},
          {"median_b_ms", result.median_b},
          {"shift", result.shift},
          {"shift_ci95", {result.shift_ci95.low, result.shift_ci95.high}},
          {"u", result.u},
          {"p", result.p},
          {"exact", result.exact},
          {"differs", result.differs}};
}

void append_raw(const std::filesystem::path& file, const RawRun& run,
                const Conditions& conditions) {
  const std::string line =
      json{{"side", run.side}, {"times_ns", run.times_ns}, {"conditions", to_json(conditions)}}
          .dump() +
      "\n";
  const host::OwnedFd fd(::open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644));
  const auto fail = [&](adze_status code) {
    throw host::Error(code, "cannot store the measured times in '" + file.string() +
                                "': " + std::strerror(errno) + "; nothing was computed from them");
  };
  if (!fd) fail(errno == ENOENT ? ADZE_NOT_FOUND : ADZE_PERMISSION_DENIED);
  for (std::string_view rest = line; !rest.empty();) {
    const ssize_t put = ::write(fd.get(), rest.data(), rest.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) fail(ADZE_RESOURCE_EXHAUSTED);
    rest.remove_prefix(static_cast<std::size_t>(put));
  }
  // Pipes and terminals have nothing to sync.
  if (::fsync(fd.get()) && errno != EINVAL && errno != EROFS) fail(ADZE_RESOURCE_EXHAUSTED);
}

std::vector<RawRun> read_raw(const std::filesystem::path& file) {
  const std::string text = host::read_text_file(file, kMaxRawBytes);
  std::vector<RawRun> runs;
  std::size_t number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const json line = json::parse(text.begin() + static_cast<std::ptrdiff_t>(begin),
                                  text.begin() + static_cast<std::ptrdiff_t>(end), nullptr,
                                  /*allow_exceptions=*/false);
    begin = end + 1;
    ++number;
    const bool is_run = line.is_object() && line.contains("times_ns") &&
                        line["times_ns"].is_array() && line.value("side", json("")).is_string() &&
                        std::all_of(line["times_ns"].begin(), line["times_ns"].end(),
                                    [](const json& time) { return time.is_number_integer(); });
    if (!is_run)
      throw host::Error(ADZE_DATA_LOSS, "'" + file.string() + "' line " + std::to_string(number) +
                                            ": no measured times; `adze board bench --raw` and "
                                            "`adze board ab --raw` write such files");
    runs.push_back({.side = line.value("side", ""),
                    .times_ns = line["times_ns"].get<std::vector<std::int64_t>>()});
  }
  return runs;
}

}  // namespace adze::hil
