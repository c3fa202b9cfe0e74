// Whether clocks and heat let a latency be believed.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "hil/protocol/messages.hpp"

namespace adze::hil {

struct GuardLimits {
  double start_below_c = 75;            ///< a run waits until the hottest zone is below
  double max_c = 95;                    ///< a hotter run is throttled, whatever the clock says
  double min_frequency_share = 0.97;    ///< of the clock before; a slower run is throttled
  int attempts = 3;                     ///< runs that are made until one is not throttled
  std::int64_t cool_down_ms = 120'000;  ///< the longest wait for start_below_c
};

/// Why the run is not to be believed; empty: nothing was seen. What a board cannot read is no
/// reason. `along`: in the order of reading, the first before the run.
std::vector<std::string> throttle_reasons(std::span<const Telemetry> along,
                                          const GuardLimits& limits);
/// What else makes latencies vary: a governor that changes the clock.
std::vector<std::string> clock_warnings(const Telemetry& telemetry);

}  // namespace adze::hil
