#include <cmath>
#include <nlohmann/json.hpp>
#include <random>

#include "hil/measure/measurement.hpp"
#include "host/base/error.hpp"

namespace adze::hil {
namespace {

std::vector<double> one_to(int n) {
  std::vector<double> values;
  for (int i = n; i >= 1; --i) values.push_back(i);
  return values;
}

TEST(Statistics, of_the_numbers_to_101_are_what_one_computes_by_hand) {
  const Statistics s = statistics_of(one_to(101));
  EXPECT_EQ(s.n, 101u);
  EXPECT_EQ(s.min, 1);
  EXPECT_EQ(s.max, 101);
  EXPECT_EQ(s.median, 51);
  EXPECT_EQ(s.mean, 51);
  EXPECT_EQ(s.mad, 25);
  EXPECT_DOUBLE_EQ(s.p90, 91);
  EXPECT_DOUBLE_EQ(s.p95, 96);
}

TEST(Statistics, of_one_sample_is_that_sample) {
  const double sample = 3;
  const Statistics s = statistics_of(std::span(&sample, 1));
  EXPECT_EQ(s.median, 3);
  EXPECT_EQ(s.deviation, 0);
  EXPECT_EQ(s.mad, 0);
}

TEST(Statistics, of_nothing_is_an_error) { EXPECT_THROW(statistics_of({}), host::Error); }

TEST(Statistics, p99_is_stated_from_662_samples_on) {
  EXPECT_FALSE(statistics_of(one_to(661)).p99);
  EXPECT_NEAR(statistics_of(one_to(662)).p99.value(), 655.4, 0.5);
}

TEST(Statistics, the_limit_for_p99_follows_from_the_binomial_tail) {
  const auto tail = [](double n) { return std::pow(0.99, n) + n * 0.01 * std::pow(0.99, n - 1); };
  EXPECT_LE(tail(kMinSamplesForP99), 0.01);
  EXPECT_GT(tail(kMinSamplesForP99 - 1), 0.01);
}

TEST(Statistics, outliers_are_counted_by_tukeys_fences_and_not_dropped) {
  std::vector<double> values = one_to(100);  // quartiles 25.75 and 75.25
  values.push_back(160);                     // beyond 1.5 ranges
  values.push_back(1000);                    // beyond 3
  const Statistics s = statistics_of(values);
  EXPECT_EQ(s.mild_outliers, 1u);
  EXPECT_EQ(s.severe_outliers, 1u);
  EXPECT_EQ(s.n, 102u);
  EXPECT_EQ(s.max, 1000);
}

TEST(Statistics, the_interval_is_the_same_for_the_same_seed) {
  const Statistics a = statistics_of(one_to(200), 5), b = statistics_of(one_to(200), 5);
  ASSERT_TRUE(a.ci95);
  EXPECT_EQ(a.ci95, b.ci95);
}

TEST(Statistics, the_interval_covers_the_true_median_about_95_times_in_100) {
  std::mt19937 random(2);
  std::normal_distribution<double> noise(10, 1);
  for (const std::size_t n : {6u, 9u, 20u, 101u}) {
    int covered = 0;
    for (int round = 0; round < 300; ++round) {
      std::vector<double> values(n);
      for (double& value : values) value = noise(random);
      const Interval ci = statistics_of(values, static_cast<std::uint64_t>(round)).ci95.value();
      covered += ci.low <= 10 && 10 <= ci.high;
    }
    EXPECT_GT(covered, 300 * 0.92) << n;
    EXPECT_LT(covered, 300 * 0.995) << n;
  }
}

TEST(Statistics, five_samples_have_no_interval_and_six_have_their_extremes) {
  EXPECT_FALSE(statistics_of(one_to(5)).ci95);
  EXPECT_EQ(statistics_of(one_to(6)).ci95, (Interval{1, 6}));
  // Tables of the sign test: n = 9 leaves out one on each side, n = 20 five.
  EXPECT_EQ(statistics_of(one_to(9)).ci95, (Interval{2, 8}));
  EXPECT_EQ(statistics_of(one_to(20)).ci95, (Interval{6, 15}));
}

TEST(Measurement, keeps_the_raw_samples_and_says_that_it_is_simulated) {
  const Measurement measurement =
      make_measurement({2'000'000, 1'000'000, 3'000'000}, {.simulated = true, .board = "sim-01"});
  const nlohmann::json document = to_json(measurement);
  EXPECT_EQ(document["samples_ms"], nlohmann::json({2.0, 1.0, 3.0}));
  EXPECT_EQ(document["median_ms"], 2.0);
  EXPECT_TRUE(document["p99_ms"].is_null());
  EXPECT_EQ(document["conditions"]["simulated"], true);
  EXPECT_TRUE(document["conditions"]["before"]["temperature_c"].is_null());
}

}  // namespace
}  // namespace adze::hil
