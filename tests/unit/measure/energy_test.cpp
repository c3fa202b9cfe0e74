#include "hil/measure/energy.hpp"

#include <gmock/gmock.h>

#include "host/base/error.hpp"

namespace adze::hil {
namespace {

using testing::DoubleNear;
using testing::HasSubstr;

/// A meter that speaks each `step_s` of a board that takes 2 W, and 5 W in the runs.
std::vector<PowerSample> meter(double until_s, double step_s, const std::vector<RunWindow>& runs) {
  std::vector<PowerSample> samples;
  for (int i = 0; i * step_s <= until_s; ++i) {
    const double at = i * step_s;
    bool running = false;
    for (const RunWindow& run : runs) running |= at > run.begin_s && at < run.end_s;
    samples.push_back({at, running ? 5.0 : 2.0});
  }
  return samples;
}

const RunWindow kIdle{.begin_s = 0, .end_s = 1};

TEST(Energy, of_an_inference_is_what_is_above_idle) {
  std::vector<RunWindow> runs;
  for (int i = 0; i < 10; ++i)
    runs.push_back({.begin_s = 2.0 + i, .end_s = 2.5 + i, .inferences = 100});
  const Energy energy = energy_of(meter(13, 0.001, runs), kIdle, runs);
  EXPECT_THAT(energy.idle_w, DoubleNear(2, 1e-9));
  EXPECT_THAT(energy.mean_w, DoubleNear(5, 0.02));
  EXPECT_THAT(energy.per_inference_j, DoubleNear(3 * 0.5 / 100, 2e-4));
  EXPECT_EQ(energy.parts, 9u) << "the first run loads and warms up";
  ASSERT_TRUE(energy.ci95);
  EXPECT_LE(energy.ci95->low, energy.per_inference_j + 1e-9);
  EXPECT_GE(energy.ci95->high, energy.per_inference_j - 1e-9);
}

TEST(Energy, of_a_slow_meter_has_no_interval) {
  std::vector<RunWindow> runs;
  for (int i = 0; i < 10; ++i)
    runs.push_back({.begin_s = 2 + 0.2 * i, .end_s = 2 + 0.2 * (i + 1), .inferences = 10});
  const Energy energy = energy_of(meter(5, 0.15, {{2, 4, 0}}), kIdle, runs);
  EXPECT_FALSE(energy.ci95);
  EXPECT_THAT(energy.mean_w, DoubleNear(5, 0.3));
}

TEST(Energy, is_not_guessed_from_too_little) {
  const std::vector<RunWindow> runs{{.begin_s = 2, .end_s = 2.5, .inferences = 100}};
  try {
    energy_of(meter(4, 0.2, runs), kIdle, runs);
    FAIL();
  } catch (const host::Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("10 and 2 are needed"));
  }
  EXPECT_THROW(energy_of({}, kIdle, runs), host::Error);
  EXPECT_THROW(energy_of(meter(4, 0.001, runs), {.begin_s = 9, .end_s = 10}, runs), host::Error);
}

TEST(Energy, keeps_the_meters_time_of_what_came_late) {
  std::vector<PowerSample> samples{{100, 1}, {101, 2}, {102, 3}};
  const std::vector<double> arrived{7.5, 7.6, 7.7};  // the first two waited in a buffer
  align_clocks(samples, arrived);
  EXPECT_THAT(samples[2].at_s, DoubleNear(7.7, 1e-9));
  EXPECT_THAT(samples[0].at_s, DoubleNear(5.7, 1e-9));
}

TEST(Energy, reads_seconds_and_watts_and_nothing_else) {
  const auto sample = parse_power("12.5, 3.25");
  ASSERT_TRUE(sample);
  EXPECT_EQ(sample->at_s, 12.5);
  EXPECT_EQ(sample->watts, 3.25);
  for (const char* line : {"", "1", "1;2", "time,power", "1,2,3", "1,2W", "nan,1", "1,inf", ",1"})
    EXPECT_FALSE(parse_power(line)) << line;
}

}  // namespace
}  // namespace adze::hil
