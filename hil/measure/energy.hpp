// Energy of an inference, from a power meter that ran along.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "hil/measure/statistics.hpp"

namespace adze::hil {

/// Seconds of the host's monotonic clock.
double monotonic_s();

struct PowerSample {
  double at_s = 0;  ///< of the host's monotonic clock
  double watts = 0;
};

/// A time in which the board did one thing, by the host's monotonic clock.
struct RunWindow {
  double begin_s = 0, end_s = 0;
  std::int64_t inferences = 0;  ///< made in it, warm-up included
};

struct Energy {
  double idle_w = 0;                   ///< mean before the run
  double mean_w = 0;                   ///< mean during the run
  double per_inference_j = 0;          ///< above idle
  std::optional<Interval> ci95;        ///< of the median over `parts`; nullopt: too few parts
  std::size_t samples = 0, parts = 0;  ///< of the run
};

/// Samples of the run below which nothing is said.
inline constexpr std::size_t kMinPowerSamples = 10;

/// A line of a meter: "seconds,watts" by its own clock. nullopt: it is none.
std::optional<PowerSample> parse_power(const std::string& line);
/// `samples` with the meter's clock, `arrived_s` when each was read: the sample that came with the
/// least delay ties the clocks together, so that what waits in a buffer keeps its own time.
void align_clocks(std::span<PowerSample> samples, std::span<const double> arrived_s);

/// Power is linear between samples. The first of several runs is left out: it loads and warms up.
/// Errors: FAILED_PRECONDITION when the meter said too little, naming what would do.
Energy energy_of(std::span<const PowerSample> samples, const RunWindow& idle,
                 std::span<const RunWindow> runs);

}  // namespace adze::hil
