#include "hil/measure/ab.hpp"

#include <cmath>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "hil/measure/guard.hpp"
#include "hil/measure/measurement.hpp"
#include "host/base/error.hpp"
#include "host/base/file.hpp"

namespace adze::hil {
namespace {

std::vector<double> from_to(int first, int last) {
  std::vector<double> values;
  for (int i = first; i <= last; ++i) values.push_back(i);
  return values;
}

TEST(MannWhitney, gives_the_p_of_the_tables_and_of_scipy) {
  double u = 0;
  bool exact = false;
  // Nothing is smaller than when one side lies above the other: 2 / C(18, 9).
  EXPECT_NEAR(mann_whitney_p(from_to(1, 9), from_to(10, 18), u, exact), 2.0 / 48620, 1e-12);
  EXPECT_TRUE(exact);
  EXPECT_EQ(u, 0);
  const std::vector<double> a{1, 4, 6, 7, 9, 12, 13, 15, 20}, b{2, 8, 10, 11, 14, 16, 17, 18, 19};
  // scipy.stats.mannwhitneyu(a, b, method="exact")
  EXPECT_NEAR(mann_whitney_p(a, b, u, exact), 0.258083093377211, 1e-12);
  EXPECT_EQ(u, 27);
  EXPECT_TRUE(exact);
}

TEST(MannWhitney, the_exact_and_the_approximate_p_agree_for_many_values) {
  std::mt19937 random(3);
  std::normal_distribution<double> noise(10, 1);
  std::vector<double> a(40), b(40);
  for (double& v : a) v = noise(random);
  for (double& v : b) v = noise(random) + 0.4;
  double u = 0;
  bool exact = false;
  const double counted = mann_whitney_p(a, b, u, exact);
  EXPECT_TRUE(exact);
  a.push_back(a.front());  // a tie: approximated
  const double approximated = mann_whitney_p(a, b, u, exact);
  EXPECT_FALSE(exact);
  EXPECT_NEAR(counted, approximated, 0.3 * counted + 0.01);
}

TEST(MannWhitney, values_that_are_all_equal_do_not_differ) {
  const std::vector<double> same(10, 2.0);
  const AbResult result = compare_ab(same, same);
  EXPECT_EQ(result.p, 1);
  EXPECT_FALSE(result.differs);
  EXPECT_EQ(result.shift, 0);
}

TEST(Ab, eight_repetitions_are_too_few) {
  EXPECT_THROW(compare_ab(from_to(1, 8), from_to(1, 9)), host::Error);
  EXPECT_THROW(compare_ab(from_to(1, 9), from_to(0, 9)), host::Error);
}

TEST(Ab, says_by_how_much_b_is_slower) {
  std::vector<double> a, b;
  for (int i = 0; i < 20; ++i) {
    a.push_back(10 + 0.01 * i);
    b.push_back((10 + 0.01 * i) * 1.05 + 1e-4);
  }
  const AbResult result = compare_ab(a, b);
  EXPECT_TRUE(result.differs);
  EXPECT_NEAR(result.shift, 0.05, 0.002);
  EXPECT_LT(result.shift_ci95.low, 0.05);
  EXPECT_GT(result.shift_ci95.high, 0.05);
  EXPECT_NEAR(compare_ab(b, a).shift, -0.0476, 0.002);
}

TEST(Ab, a_difference_smaller_than_what_matters_is_none) {
  std::vector<double> a, b;
  for (int i = 0; i < 20; ++i) {
    a.push_back(10 + 1e-5 * i);
    b.push_back(10.05 + 1e-5 * i);
  }
  const AbResult result = compare_ab(a, b);
  EXPECT_LT(result.p, 1e-6);
  EXPECT_FALSE(result.differs);
  EXPECT_TRUE(compare_ab(a, b, {.min_effect = 0.001}).differs);
}

TEST(Ab, the_order_is_the_same_for_a_seed_and_mixed) {
  EXPECT_EQ(interleaving(20, 7), interleaving(20, 7));
  EXPECT_NE(interleaving(20, 7), interleaving(20, 8));
  const std::vector<bool> order = interleaving(200, 1);
  EXPECT_NEAR(static_cast<double>(std::count(order.begin(), order.end(), true)), 100, 35);
}

/// Share of 1000 comparisons, 20 repetitions a side, that find a difference. Repetitions vary by
/// `spread` and in steps of a slow drift, as boards warm up.
double share_found(double shift, double spread, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> noise(0, 1);
  int found = 0;
  for (int experiment = 0; experiment < 1000; ++experiment) {
    std::vector<double> a, b;
    for (int i = 0; i < 20; ++i) {
      const double drift = 1 + 0.0005 * i;
      a.push_back(5 * drift * (1 + spread * noise(random)));
      b.push_back(5 * drift * (1 + shift) * (1 + spread * noise(random)));
    }
    found += compare_ab(a, b).differs;
  }
  return found / 1000.0;
}

TEST(Ab, finds_three_percent_with_the_stated_power_and_alarms_no_oftener_than_stated) {
  // Stated in hil/README.md: alpha 1 %, 20 repetitions, spread of repetitions 2 %: power 95 %.
  const double power = share_found(0.03, 0.02, 11), slower = share_found(-0.03, 0.02, 12),
               alarms = share_found(0, 0.02, 13);
  std::printf(
      "A/B, 20 repetitions, spread 2 %%: +3 %% found %.1f %%, -3 %% found %.1f %%, A/A alarms "
      "%.1f %%\n",
      power * 100, slower * 100, alarms * 100);
  EXPECT_GE(power, 0.95);
  EXPECT_GE(slower, 0.95);
  EXPECT_LE(alarms, 0.01 + 2.6 * std::sqrt(0.01 * 0.99 / 1000));
  EXPECT_GE(share_found(0.03, 0.01, 14), 0.999);
}

TEST(Guard, says_why_a_run_was_throttled) {
  const GuardLimits limits;
  const Telemetry cool{.frequency_mhz = 1700, .temperature_c = 50},
      slow{.frequency_mhz = 1200, .temperature_c = 60},
      hot{.frequency_mhz = 1700, .temperature_c = 99}, blind{};
  const auto reasons = [&](std::vector<Telemetry> along) {
    return throttle_reasons(along, limits);
  };
  EXPECT_TRUE(reasons({cool, cool}).empty());
  EXPECT_TRUE(reasons({blind, blind}).empty());
  ASSERT_EQ(reasons({cool, slow, cool}).size(), 1u);
  EXPECT_EQ(reasons({cool, slow, cool})[0], "the clock fell from 1700 to 1200 MHz");
  EXPECT_EQ(reasons({cool, hot}).size(), 1u);
  EXPECT_EQ(clock_warnings({.governor = "ondemand"}).size(), 1u);
  EXPECT_TRUE(clock_warnings({.governor = "performance"}).empty());
}

TEST(RawTimes, are_read_as_they_were_stored) {
  const host::TemporaryDirectory directory;
  const auto file = directory.path() / "raw.jsonl";
  append_raw(file, {.side = "A", .times_ns = {3, 1, 2}}, {.board = "x"});
  append_raw(file, {.side = "B", .times_ns = {9}}, {});
  const auto runs = read_raw(file);
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_EQ(runs[0].side, "A");
  EXPECT_EQ(runs[0].times_ns, (std::vector<std::int64_t>{3, 1, 2}));
  EXPECT_EQ(nlohmann::json::parse(host::read_text_file(file).substr(
                0, host::read_text_file(file).find('\n')))["conditions"]["board"],
            "x");
  std::ofstream(file, std::ios::app) << "{\"times_ns\": [1.5]}\n";
  try {
    read_raw(file);
    FAIL();
  } catch (const host::Error& error) {
    EXPECT_EQ(error.code, ADZE_DATA_LOSS);
    EXPECT_THAT(error.what(), testing::HasSubstr("line 3"));
  }
}

TEST(RawTimes, that_cannot_be_stored_are_an_error) {
  EXPECT_THROW(append_raw("/nowhere/raw.jsonl", {}, {}), host::Error);
}

}  // namespace
}  // namespace adze::hil
