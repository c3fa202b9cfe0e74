#include "hil/measure/guard.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace adze::hil {
namespace {

std::string rounded(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value);
  return text;
}

}  // namespace

std::vector<std::string> throttle_reasons(std::span<const Telemetry> along,
                                          const GuardLimits& limits) {
  std::vector<std::string> reasons;
  if (along.empty()) return reasons;
  const double begin_mhz = along.front().frequency_mhz;
  double slowest = begin_mhz, hottest = Telemetry::kUnknown;
  for (const Telemetry& telemetry : along) {
    slowest = std::fmin(slowest, telemetry.frequency_mhz);  // fmin and fmax ignore NaN
    hottest = std::fmax(hottest, telemetry.temperature_c);
  }
  if (std::isfinite(begin_mhz) && slowest < limits.min_frequency_share * begin_mhz)
    reasons.push_back("the clock fell from " + rounded(begin_mhz) + " to " + rounded(slowest) +
                      " MHz");
  if (hottest > limits.max_c)
    reasons.push_back("the board was " + rounded(hottest) + " degrees hot, " +
                      rounded(limits.max_c) + " are allowed");
  return reasons;
}

std::vector<std::string> clock_warnings(const Telemetry& telemetry) {
  if (telemetry.governor.empty() || telemetry.governor == "performance" ||
      telemetry.governor == "userspace")
    return {};
  return {"the clock is not locked (governor '" + telemetry.governor +
          "'): set it to performance for latencies that repeat"};
}

}  // namespace adze::hil
