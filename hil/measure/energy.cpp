#include "hil/measure/energy.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <limits>

#include "host/base/error.hpp"

namespace adze::hil {
namespace {

bool is_in(const PowerSample& sample, const RunWindow& window) {
  return sample.at_s >= window.begin_s && sample.at_s <= window.end_s;
}

std::size_t count_in(std::span<const PowerSample> samples, const RunWindow& window) {
  return static_cast<std::size_t>(
      std::ranges::count_if(samples, [&](const PowerSample& s) { return is_in(s, window); }));
}

/// Linear between samples, level outside of them.
double power_at(std::span<const PowerSample> samples, double at_s) {
  const auto after = std::ranges::lower_bound(samples, at_s, {}, &PowerSample::at_s);
  if (after == samples.begin()) return samples.front().watts;
  if (after == samples.end()) return samples.back().watts;
  const PowerSample &b = *after, &a = *(after - 1);
  return a.watts + (b.watts - a.watts) * (at_s - a.at_s) / (b.at_s - a.at_s);
}

double joules_in(std::span<const PowerSample> samples, const RunWindow& window) {
  double joules = 0, from_s = window.begin_s, from_w = power_at(samples, from_s);
  const auto add = [&](double to_s, double to_w) {
    joules += (to_s - from_s) * (from_w + to_w) / 2;
    from_s = to_s;
    from_w = to_w;
  };
  for (const PowerSample& sample : samples)
    if (is_in(sample, window)) add(sample.at_s, sample.watts);
  add(window.end_s, power_at(samples, window.end_s));
  return joules;
}

double seconds_of(const RunWindow& window) { return window.end_s - window.begin_s; }

}  // namespace

double monotonic_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::optional<PowerSample> parse_power(const std::string& line) {
  const char *begin = line.data(), *end = begin + line.size();
  PowerSample sample;
  const auto seconds = std::from_chars(begin, end, sample.at_s);
  if (seconds.ec != std::errc() || seconds.ptr == end || *seconds.ptr != ',') return std::nullopt;
  const char* rest = seconds.ptr + 1;
  while (rest != end && *rest == ' ') ++rest;
  const auto watts = std::from_chars(rest, end, sample.watts);
  const bool ends = watts.ptr == end || *watts.ptr == '\r' || *watts.ptr == ' ';
  if (watts.ec != std::errc() || !ends || !std::isfinite(sample.at_s) ||
      !std::isfinite(sample.watts))
    return std::nullopt;
  return sample;
}

void align_clocks(std::span<PowerSample> samples, std::span<const double> arrived_s) {
  double offset = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < samples.size(); ++i)
    offset = std::min(offset, arrived_s[i] - samples[i].at_s);
  for (PowerSample& sample : samples) sample.at_s += offset;
}

Energy energy_of(std::span<const PowerSample> samples, const RunWindow& idle,
                 std::span<const RunWindow> runs) {
  if (runs.size() > 1) runs = runs.subspan(1);
  Energy energy{.samples = 0, .parts = runs.size()};
  double joules = 0, seconds = 0;
  std::int64_t inferences = 0;
  for (const RunWindow& run : runs) {
    energy.samples += count_in(samples, run);
    seconds += seconds_of(run);
    inferences += run.inferences;
  }
  const std::size_t idle_samples = count_in(samples, idle);
  if (energy.samples < kMinPowerSamples || idle_samples < 2 || inferences == 0)
    throw host::Error(ADZE_FAILED_PRECONDITION,
                      "the meter said " + std::to_string(energy.samples) +
                          " times what the run of " + std::to_string(seconds) + " s took, and " +
                          std::to_string(idle_samples) + " times before it; " +
                          std::to_string(kMinPowerSamples) +
                          " and 2 are needed: let it run longer, or the meter speak more often");
  energy.idle_w = joules_in(samples, idle) / seconds_of(idle);
  std::vector<double> parts;
  bool fine = true;  // enough to tell parts from each other
  for (const RunWindow& run : runs) {
    const double spent = joules_in(samples, run);
    joules += spent;
    fine &= count_in(samples, run) >= 2 && run.inferences > 0;
    if (fine)
      parts.push_back((spent - energy.idle_w * seconds_of(run)) /
                      static_cast<double>(run.inferences));
  }
  energy.mean_w = joules / seconds;
  energy.per_inference_j = (joules - energy.idle_w * seconds) / static_cast<double>(inferences);
  if (fine) energy.ci95 = statistics_of(parts).ci95;
  return energy;
}

}  // namespace adze::hil
